"""Training objectives, one file each: what is compared, how timesteps are drawn, how terms are weighted."""
