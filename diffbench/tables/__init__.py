"""Tables: pure functions from what was measured to a data frame, one file per table.

A table is a frozen dataclass whose fields are its options; what it must have is in `Table` (`_contract.py`). It reads
no files and measures nothing. To add one, write `diffbench/tables/<name>.py`; the stage `tabulate` writes it as CSV.
"""
