"""The benchmark: what a YAML file means, as entries, rows, jobs and the paths of results."""
