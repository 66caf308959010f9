"""Kinds of guidance, one file each; each turns a denoiser into a guided denoiser.

`Guidance` (`_contract.py`) says what a kind of guidance must have.
"""
