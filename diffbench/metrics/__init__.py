"""Metrics: saved features in, a number and its 95 % interval out. One file each. They use only numpy, so that scoring
starts fast.

To add one, put a file here with one public frozen dataclass, whose fields are its configuration. What it must have and
may declare is in `Metric` (`_contract.py`). `generated` and `reference` map names of features ("pool", "logits") to
arrays with one row per image. The file's name is the metric's name, and the contract test finds it automatically.

An interval is for the expectation of the estimator at this number of generated images. The bias from that number
belongs to the protocol. The reference is part of the protocol too, so it is held fixed: only the generated images are
random. Metrics that compare a set with itself are not bootstrapped with replacement, because duplicates shift them.
"""
