"""What a notebook calls: `diffbench.open`, `features`, `score` and `grid` (docs/python.md)."""
