"""Training: its settings, data and tasks, the loop, the average of the weights, and checkpoints."""
