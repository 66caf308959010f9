"""What an objective must have and may declare: `Objective`, which training reads, and so belongs to a floor below."""

from diffbench.diffusion.batch import Objective

CONTRACT = Objective
