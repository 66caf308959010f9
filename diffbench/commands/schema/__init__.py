"""`diffbench schema`: JSON Schemas of a benchmark's file and of records, for editors and other programs."""
