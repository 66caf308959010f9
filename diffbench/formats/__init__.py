"""Formats: a sheet of cells as the text of a file that people read, one file per format.

To add one, write `diffbench/formats/<name>.py`; its name is what `diffbench table --format` takes.
"""
