"""Tables: pure functions from what was measured to a data frame, one file per table.

A table is a frozen dataclass whose fields are its options, with

    consumes            what it is made from: "records" (tidy records) or "terms" (pairs of what identifies a
                        model and the arrays of its bound)
    __call__(data)      -> pandas.DataFrame

It reads no files and measures nothing. To add one, write `diffbench/tables/<name>.py`; the stage `tabulate`
writes it as CSV.
"""
