"""`diffbench conform`: a comparison of this package's mathematics and networks with the published code's outputs."""
