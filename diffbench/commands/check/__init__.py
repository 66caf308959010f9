"""`diffbench check`: a check, before any work, that a benchmark can be run."""
