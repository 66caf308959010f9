"""`diffbench publish`: a checked copy of results with model cards, in a folder or on the Hugging Face Hub."""
