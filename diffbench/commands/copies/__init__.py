"""`diffbench copies`: the samples that are most like training images."""
