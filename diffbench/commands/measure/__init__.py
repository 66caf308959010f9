"""`diffbench measure`: scores of any images, without a benchmark."""
