"""`diffbench table`: a table of results in the form in which people read it, or paste it into a paper."""
