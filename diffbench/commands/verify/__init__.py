"""`diffbench verify`: a comparison of results with their records, for which some can be made again."""
