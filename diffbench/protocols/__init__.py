"""Protocols, one file each: what a score means, as data. Two scores compare only where their ids agree.

To add one, put a file here with one public frozen dataclass below `Protocol` (_contract.py). Its class variables are
what the protocol fixes; its fields are what a benchmark may still choose, and `diffbench protocols` prints both.
"""
