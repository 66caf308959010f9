"""Training objectives, one file each: what is compared, how timesteps are drawn, how terms are weighted.

`Objective` (`diffbench/diffusion/batch.py`) says what an objective must have and what it may override.
"""
