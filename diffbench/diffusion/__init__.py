"""Floor 1: the mathematics that every part shares. Tensors in, tensors out; no files and no configuration."""
