"""Protocols, one file each: how a score is measured. Two scores are comparable only if their protocol ids agree.

To add one, put a file here with one public frozen dataclass that inherits from `Protocol` (_contract.py). Its class
variables are what the protocol fixes; its fields are what a benchmark may choose. `diffbench protocols` prints both.
"""
