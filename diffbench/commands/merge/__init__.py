"""`diffbench merge`: one tree of results from several machines that ran parts of one benchmark."""
