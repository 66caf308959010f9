"""The stages, which read files and write files. A stage's rule file, subcommand and test file have its name."""
