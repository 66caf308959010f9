"""Training: the loop, the average of the weights, checkpoints."""
