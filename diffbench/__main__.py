"""`python -m diffbench`, which is the command `diffbench`."""

from diffbench.cli import main

if __name__ == "__main__":
    main()
