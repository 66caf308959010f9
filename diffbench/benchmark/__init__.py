"""The benchmark: the meaning of its YAML file, as entries, rows, jobs and paths of results."""
