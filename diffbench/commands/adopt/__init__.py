"""`diffbench adopt`: a finished tree kept under changed code, after some of it was made again with the same bytes."""
