"""`diffbench import`: weights made elsewhere, with the record that the workflow needs."""
