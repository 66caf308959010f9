"""Floor 4: what people call that needs no rule of the workflow."""
