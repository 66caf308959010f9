"""The command `diffbench contract`, and the checks of each kind of part, which the package's own tests call too."""
