"""Guidance, one file each: a denoiser in, a guided denoiser out.

A guidance is a frozen dataclass with a field `scale`, and

    needs_classifier: ClassVar[bool]     whether it is given a classifier's gradient
    before_clipping: ClassVar[bool]      whether it comes before x_0 is clipped (eps mixed) or after (eps shifted)
    __call__(denoiser, gradient, *, applies_gradient) -> Denoiser
"""
