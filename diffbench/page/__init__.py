"""The page of a benchmark's results, `report.html`: its contents as dataclasses, and the HTML that shows them."""
