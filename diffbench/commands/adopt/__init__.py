"""`diffbench adopt`: it keeps finished results under changed code, if a sample of them comes out with equal bytes."""
