"""Published numbers: what papers print about models, samplers and data, each with the place where it stands.

`numbers.csv` has one row for each number. To add one, add a row. A cell is empty if neither the paper nor its released
code says it. An empty cell equals nothing, so it keeps a row from being compared, and the comparison names the column.
The vocabulary of the columns is in docs/published.md, and `numbers.py` checks it.
"""
