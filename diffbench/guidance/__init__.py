"""Guidance, one file each: a denoiser in, a guided denoiser out."""
