"""`diffbench report`: the page of a folder of results. Each module reads one section's contents from the files."""
