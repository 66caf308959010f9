"""`diffbench new`: a commented benchmark file that fits a data set and a stated time."""
