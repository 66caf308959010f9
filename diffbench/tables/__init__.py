"""Tables: pure functions from tidy records to a data frame, one file per table.

A table is a frozen dataclass with `__call__(records) -> pandas.DataFrame`; its fields are its options. It
reads no files and measures nothing. To add one, write `diffbench/tables/<name>.py`; the stage `tabulate`
writes it as CSV.
"""
