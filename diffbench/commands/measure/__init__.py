"""`diffbench measure`: the scores of images or features from anywhere."""
