"""The contract of objectives: `Objective`, which is in diffusion/ because training uses it too."""

from diffbench.diffusion.batch import Objective

CONTRACT = Objective
