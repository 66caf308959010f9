"""diffusers' own pipelines on a model of this project: the same images as our samplers from the same noise."""

import pytest
import torch

from diffbench.base.errors import UserError
from diffbench.diffusion.denoiser import ClippedDenoiser, Diffusion, ModelDenoiser
from diffbench.diffusion.pipeline_unet import PipelineUnet
from diffbench.networks.unet import Unet
from diffbench.samplers._batches import walked
from diffbench.samplers.ancestral import Ancestral
from diffbench.samplers.ddim import Ddim

diffusers = pytest.importorskip("diffusers")
torch.set_num_threads(1)
SHAPE = (1, 8, 8)


def random_model(diffusion):
    """A small U-Net with random weights, its last layer too."""
    torch.manual_seed(0)
    part = Unet(channels=16, channel_multipliers=(1, 2), residual_blocks=1, attention_resolutions=(), norm_groups=8)
    network = part.build(SHAPE, None, diffusion.learns_variance).eval().requires_grad_(False)
    for parameter in network.parameters():
        if not bool(parameter.any()):
            parameter.normal_(std=0.1)
    return ModelDenoiser.of(diffusion, network)


def start(count=3):
    """What a pipeline draws first from this generator."""
    return torch.randn((count, *SHAPE), generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("output", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("clipped", [False, True])
def test_ddim_pipeline_gives_our_ddims_images(clipped, schedule, output):
    diffusion = Diffusion(schedule=schedule)
    model = random_model(diffusion)
    denoiser = ClippedDenoiser(model) if clipped else model
    unet = PipelineUnet(denoiser, diffusion, SHAPE, output=output)
    pipeline = diffusers.DDIMPipeline(unet, diffusers.DDIMScheduler(**unet.scheduler_settings))
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(5)
    images = pipeline(3, generator, num_inference_steps=10, output_type="np").images
    expected = walked(Ddim(), denoiser, diffusion.chain("ddim10"), start(), lambda i: None)
    expected = (expected / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
    # eps loses x_0's digits at alpha 5e-5, and the first of ten steps keeps a part of the error.
    tolerance = 3e-4 if clipped and (schedule, output) == ("cosine", "epsilon") else 1e-4
    torch.testing.assert_close(torch.from_numpy(images), expected, rtol=0, atol=tolerance)
    assert 0.02 < expected.std() and model.rows == 60


@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large", "learned_range"])
def test_ddpm_pipeline_gives_our_ancestral_samplers_images(variance):
    diffusion = Diffusion(timesteps=100, variance=variance)
    denoiser = ClippedDenoiser(random_model(diffusion))
    unet = PipelineUnet(denoiser, diffusion, SHAPE, learned_range=variance == "learned_range")
    settings = {"variance_type": variance} | unet.scheduler_settings
    pipeline = diffusers.DDPMPipeline(unet, diffusers.DDPMScheduler(**settings))
    pipeline.set_progress_bar_config(disable=True)
    images = pipeline(3, torch.Generator().manual_seed(5), num_inference_steps=10, output_type="np").images
    draws = torch.Generator().manual_seed(5)
    torch.randn((3, *SHAPE), generator=draws)
    noises = [torch.randn((3, *SHAPE), generator=draws) for _ in range(9)]
    expected = walked(Ancestral(), denoiser, diffusion.chain("ddim10"), start(), lambda i: noises[i])
    expected = (expected / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
    torch.testing.assert_close(torch.from_numpy(images), expected, rtol=0, atol=1e-4)


def test_a_pipeline_of_its_own_numbers_is_refused():
    diffusion = Diffusion(timesteps=100)
    unet = PipelineUnet(random_model(diffusion), diffusion, SHAPE)
    for t in (100, -1, 3.5):
        with pytest.raises(UserError, match=rf"trained at the timesteps 0 to 99 and was asked about {t}"):
            unet(start(), torch.tensor(t))
    with pytest.raises(UserError, match="learned no variance"):
        denoiser = lambda x, level, condition: diffbench_prediction(x)  # noqa: E731
        PipelineUnet(denoiser, diffusion, SHAPE, learned_range=True)(start(), 3)


def diffbench_prediction(x):
    from diffbench.diffusion.parameterization import Prediction

    return Prediction(x, x)
