"""A trained model in a pipeline of diffusers, by the lines that docs/diffusers.md prints."""

import re

import numpy as np
import pytest
import torch

from diffbench.base.images import to_float
from diffbench.samplers._batches import walked
from diffbench.samplers.ddim import Ddim


def test_the_printed_lines_draw_the_images_of_our_ddim(weights, code_block):
    pytest.importorskip("diffusers")
    program = re.sub(r'weights = ".*"', f'weights = "{weights}"', code_block("docs/diffusers.md"))
    names = {}
    exec(program, names)
    found = np.stack([np.asarray(image) for image in names["images"]])
    assert found.shape == (16, 8, 8)
    x_T = torch.randn((16, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    expected = walked(
        Ddim(), names["unet"].denoiser, names["architecture"].diffusion.chain("ddim25"), x_T, lambda i: None
    )
    # A pipeline rounds to bytes; half a grey level on either side, and the tolerance of the images.
    off = (to_float(found[..., None]) - expected.clamp(-1, 1)).abs().max()
    assert float(off) <= 1 / 255 + 1e-3
