"""Data sets: one file each, whose name is the data set's name in a configuration.

To add one, write `diffbench/datasets/<name>.py` with one frozen dataclass, and put `dataset: {name: <name>}` into a
benchmark's YAML. The fields of the class are its options. The docstring of `Split` says what a split consists of. The
class has

    levels        grey levels that its pixels take (256, unless they were coarser before they became bytes)
    flip          whether training may mirror the images
    num_classes   how many labels there are, or None without labels
    shape         optional: height, width and channels, if they are known without the data
    has_pictures  optional: True if its splits have a `cut`, so that training may take random crops
    open(split)   the images and labels of "train" or "test", as a `Split`

`tests/datasets/test_contract.py` finds the file automatically.
"""
