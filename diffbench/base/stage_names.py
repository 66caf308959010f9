"""The names of the stages, in the order in which an image passes through them."""

STAGES = ("prepare", "shrink", "fit", "train", "convert", "sample", "extract", "bound", "score", "tabulate", "plot")
"""Each is a module of diffbench/stages, which few may import: commands and reports need no more than the names."""
