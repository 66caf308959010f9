"""Floor 0: vocabulary and plumbing. Nothing here knows what diffusion is."""
