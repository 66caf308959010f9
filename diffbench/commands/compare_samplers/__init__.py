"""`diffbench compare-samplers`: candidate samplers against a baseline, on the same weights and noise."""
