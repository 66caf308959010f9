"""Spherical interpolation of noise: points between two draws that have the length of a draw.

A straight line between two draws of many normals passes through points that are shorter than any draw, and which a
model has never seen.
Source: Shoemake 1985, "Animating rotation with quaternion curves"; Song et al. 2021, section 5.3, use it for x_T.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from diffbench.diffusion.parameterization import X

Shares = Float[Tensor, " points"]


def spherical(first: X, last: X, shares: Shares) -> Float[Tensor, "batch points channel height width"]:
    """Return points on the arc from each of the first images to its last one; shares: how far along it, from 0 to 1.

    The share 0 is exactly the first, and 1 exactly the last.
    """
    ends = [x.flatten(1).double() for x in (first, last)]
    lengths = [(x * x).sum(1).sqrt() for x in ends]
    cosine = (ends[0] * ends[1]).sum(1) / (lengths[0] * lengths[1])
    angle = cosine.clamp(-1, 1).acos()[:, None, None]
    shares = shares.to(angle)[None, :, None]
    weights = [torch.sin(share * angle) / torch.sin(angle) for share in (1 - shares, shares)]
    # Two equal draws have no arc between them: its limit is the straight line.
    straight = [share.expand_as(weights[0]) for share in (1 - shares, shares)]
    weights = [torch.where(angle > 0, weight, line) for weight, line in zip(weights, straight, strict=True)]
    points = weights[0] * ends[0][:, None] + weights[1] * ends[1][:, None]
    return points.to(first.dtype).reshape(len(first), -1, *first.shape[1:])
