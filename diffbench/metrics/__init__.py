"""Metrics: saved features in, a number and its 95 % interval out. One file each. They use only numpy, so that scoring
starts fast.

To add one, put a file here with one public frozen dataclass. Its fields are its configuration, and it has

    label: ClassVar[str]                 text for axes and table heads, e.g. "FID"
    higher_is_better: ClassVar[bool]
    consumes: ClassVar[str] = "features"  what it is computed from
    __call__(generated, reference) -> Estimate
    fewest: int                           optional: how many images it needs of either side, if more than 2
    require(num_images)                   optional: raises UserError for a number of generated images that it refuses
    needs_reference: bool                 optional: False if it does not use the reference
    takes_moments: bool                   optional: whether a reference's stored mean and covariance replace its images

`generated` and `reference` map names of features ("pool", "logits") to arrays with one row per image. The name of the
file is the metric's name, and the contract test finds it automatically.

An interval is for the expectation of the estimator at this number of generated images. The bias from that number
belongs to the protocol. The reference is part of the protocol too, so it is held fixed: only the generated images are
random. Metrics that compare a set with itself are not bootstrapped with replacement, because duplicates shift them.
"""
