"""Data sets: one file each, whose name is the data set's name in a configuration.

To add one, write `diffbench/datasets/<name>.py` with one frozen dataclass, and put `dataset: {name: <name>}` into a
benchmark's YAML. The fields of the class are its options. What it must have and may declare is in `Dataset`
(`_contract.py`); the docstring of `Split` says what a split consists of.

`tests/datasets/test_contract.py` finds the file automatically.
"""
