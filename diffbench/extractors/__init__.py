"""Extractors: uint8 images in, named features out. One file each.

To add one, put a file here with one public frozen dataclass, whose fields are its configuration. What it must have and
may declare is in `Extractor` (`_contract.py`).

A network runs on micro-batches of one fixed size, and the last one is padded, so that an image's features do not
depend on the images around it.
"""
