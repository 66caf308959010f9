"""The names of the stages, in the order in which an image passes through them."""

STAGES = (
    "prepare",
    "shrink",
    "fit",
    "train",
    "convert",
    "sample",
    "extract",
    "bound",
    "trace",
    "score",
    "tabulate",
    "plot",
)
"""Each name is a module of diffbench/stages. Commands and reports need only the names."""
