"""Floor 3: the stages, files in and files out. A stage's name is also its rule file's, subcommand's and test file's."""
