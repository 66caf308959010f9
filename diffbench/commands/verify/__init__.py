"""`diffbench verify`: results beside their records, and some of them made again."""
