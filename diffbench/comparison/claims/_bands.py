"""Bands of spatial frequencies of images, and correlations of images with one another."""

import numpy as np
from jaxtyping import Float

Images = Float[np.ndarray, "... height width channel"]


def band(images: np.ndarray, *, low: bool) -> Images:
    """Return images with those frequencies that are below half of the highest, or with the others; without the mean."""
    height, width = images.shape[-3:-1]
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    chosen = ((radius < 0.25) == low) & (radius > 0)
    return np.fft.ifft2(np.fft.fft2(images, axes=(-3, -2)) * chosen[..., None], axes=(-3, -2)).real


def correlations(a: Images, b: Images) -> Float[np.ndarray, " images"]:
    """Return the correlation of each image with its partner over pixels and channels; nan if one is of one colour."""
    x, y = (flat - flat.mean(axis=1, keepdims=True) for flat in (c.reshape(len(c), -1).astype(float) for c in (a, b)))
    norms = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    # A band of a flat image is rounding noise, which would correlate with anything.
    flat = norms <= 1e-9 * max(float(norms.max(initial=0.0)), 1.0)
    return np.where(flat, np.nan, (x * y).sum(axis=1) / np.where(flat, 1.0, norms))
