"""Floor 3: the stages, which read and write files. The rule file, subcommand and test of a stage have its name."""
