"""`diffbench plan`: the expected cost of a benchmark in jobs, network evaluations, FLOPs, disk and time."""
