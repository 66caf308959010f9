"""Guidance, one file each: a denoiser in, a guided denoiser out.

What a guidance must have is in `Guidance` (`_contract.py`).
"""
