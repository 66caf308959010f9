"""Networks, one file each: a frozen dataclass of settings whose `build` returns the module.

What the settings must have and may declare is in `NetworkSettings` (`_contract.py`). Parameter names are those of the
published checkpoints, so that a released state dict loads without a key map.
"""
