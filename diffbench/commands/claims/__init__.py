"""`diffbench claims`: what papers claim, tested on the results of a benchmark."""
