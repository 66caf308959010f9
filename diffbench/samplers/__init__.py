"""Samplers, one file each: how to walk a chain of noise levels from x_T to x_0.

A sampler is a frozen dataclass whose fields are its configuration. Calling it gives a generator that yields a State per
step. State and Sampler in `diffbench/samplers/_contract.py` say what it may rely on. To add one, put a file here,
or anywhere on the Python path and name it `my_module.MySampler`. `tests/samplers/test_contract.py` tests every file.
"""
