"""Tables, one file each: pure functions from measured numbers to a data frame.

A table is a frozen dataclass whose fields are its options; `Table` (`_contract.py`) says what it must have. It reads no
files and measures nothing. To add one, write `diffbench/tables/<name>.py`; the stage `tabulate` writes it as CSV.
"""
