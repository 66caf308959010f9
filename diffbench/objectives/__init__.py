"""Training objectives, one file each: what is compared, how timesteps are drawn, how terms are weighted.

What one must have and may override is in `Objective` (`diffbench/diffusion/batch.py`).
"""
