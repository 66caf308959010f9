"""Floor 4: the commands of `diffbench` that are not stages. Each large one has a folder."""
