"""Images, from wherever they are kept: one file per data set, whose name is its name in a configuration.

To add one, write `diffbench/datasets/<name>.py` with one frozen dataclass (the docstring of `Split` says what
its pieces are) and put `dataset: {name: <name>}` into a benchmark's YAML. The class has

    levels        grey levels that its pixels take (256 unless they were coarser before they became bytes)
    flip          whether training may mirror the images
    num_classes   how many labels there are, or None without labels
    shape         optional: height, width and channels, where they are known without the data
    has_pictures  optional: True where its splits have a `cut`, so that training may take random crops
    open(split)   the images and labels of "train" or "test", as a `Split`

and its fields are its options. `tests/datasets/test_contract.py` finds the file by itself.
"""
