"""Peak signal-to-noise ratio. It uses numpy alone, because a metric on bytes uses it too."""

import numpy as np
from jaxtyping import Float64


def psnr(mean_square: Float64[np.ndarray, " images"], peak: float) -> Float64[np.ndarray, " images"]:
    """Return each image's 10 log10(peak^2 / mean squared error) in dB; infinite for equal images."""
    with np.errstate(divide="ignore"):
        return 10 * np.log10(peak**2 / mean_square)
