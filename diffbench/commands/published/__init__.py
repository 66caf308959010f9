"""`diffbench published`: published numbers beside those of a benchmark, and a list of published numbers."""
