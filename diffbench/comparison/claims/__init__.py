"""What papers claim, tested on the records of a benchmark: one file for each claim, which is its registration."""
