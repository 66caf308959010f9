"""Networks, one file each: a frozen dataclass of settings whose `build` returns the module.

Parameter names are those of the published checkpoints, so that a released state dict loads without a key map.
"""
