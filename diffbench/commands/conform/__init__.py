"""`diffbench conform`: this package's mathematics and networks beside recorded outputs of the published code."""
