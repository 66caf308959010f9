"""`diffbench import`: weights by others, written with the record that the workflow needs."""
