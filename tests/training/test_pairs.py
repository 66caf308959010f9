"""Training of an upsampler: pairs of an image and the same one shrunk, flipped together, and resumed bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from diffbench.base.errors import UserError
from diffbench.base.images import to_float
from diffbench.base.sizes import shrunk
from diffbench.diffusion.batch import NoisedBatch
from diffbench.diffusion.denoiser import Condition, Diffusion
from diffbench.networks.super_resolution import SuperResolution
from diffbench.objectives.hybrid import Hybrid
from diffbench.training.checkpoints import Checkpoints
from diffbench.training.data import Batches, TrainingData
from diffbench.training.loop import Trainer
from diffbench.training.settings import Training
from diffbench.training.tasks import Classification, Denoising

torch.set_num_threads(1)
IMAGES = np.random.default_rng(0).integers(0, 256, (11, 4, 4, 1), dtype=np.uint8)
LABELS = torch.arange(11) % 3
SETTINGS = Training(steps=6, batch_size=4, learning_rate=1e-2, warmup_steps=3, ema_decay=0.9, log_every=3)


def trainer(images=IMAGES, flip=True):
    settings = SuperResolution(
        channels=8,
        channel_multipliers=(1.0, 2.0),
        residual_blocks=1,
        attention_resolutions=(2,),
        heads=2,
        norm_groups=4,
        dropout=0.2,
        class_conditional=True,
    )
    torch.manual_seed(0)
    diffusion = Diffusion(timesteps=50, variance="learned_range")
    task = Denoising(settings.build((1, 4, 4), 3, learns_variance=True), diffusion, Hybrid(), 256)
    return Trainer(task, SETTINGS, TrainingData(images, LABELS, flip, low_size=2), 0, torch.device("cpu"))


def seen(run, steps=4):
    """What the task is given, step by step."""
    given, original = [], run._task.losses

    def losses(batch):
        given.append((batch.x_0, batch.condition.y, batch.condition.low_res))
        return original(batch)

    run._task.losses = losses
    for _ in range(steps):
        run.advance()
    return given


@pytest.mark.parametrize("flip", [True, False])
def test_the_network_is_given_the_bytes_of_the_same_image_shrunk(flip):
    flips = 0
    for step, (x_0, y, low_res) in enumerate(seen(trainer(flip=flip))):
        assert low_res.shape == (4, 1, 2, 2)
        high = ((x_0 + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
        assert torch.equal(low_res, to_float(shrunk(high, 2)))
        chosen = Batches(len(IMAGES), SETTINGS.batch_size, 0).at(step)
        flips += int((high != IMAGES[chosen.numpy()]).any(axis=(1, 2, 3)).sum())
        assert torch.equal(y, LABELS[chosen])
    assert (flips > 0) == flip


def test_the_low_resolution_image_reaches_the_weights():
    plain, inverted = trainer(), trainer()
    original = inverted._task.losses

    def losses(batch):
        return original(replace(batch, condition=replace(batch.condition, low_res=-batch.condition.low_res)))

    inverted._task.losses = losses
    for run in (plain, inverted):
        for _ in range(3):
            run.advance()
    first, second = (run.network.state_dict()["input_blocks.0.0.weight"] for run in (plain, inverted))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("stop", range(6))
def test_resumed_after_any_step_equals_uninterrupted(tmp_path, stop):
    whole = trainer()
    whole.run(Checkpoints(tmp_path / "whole"), 100)
    first = trainer()
    for _ in range(stop):
        first.advance()
    if stop:
        Checkpoints(tmp_path / "cut").save(first.state())
    second = trainer()
    second.run(Checkpoints(tmp_path / "cut"), 2)
    for state in ("network", "average"):
        one, other = (run.state()[state] for run in (whole, second))
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_classifier_takes_no_pairs():
    task = Classification(torch.nn.Linear(1, 1), Diffusion())
    x, i = torch.zeros(1, 1, 4, 4), torch.zeros(1, dtype=torch.int64)
    with pytest.raises(UserError, match="not trained on pairs"):
        task.losses(NoisedBatch(task.chain, i, x, x, x, Condition(i, x)))


def test_a_size_that_does_not_divide_is_refused_at_the_first_step():
    with pytest.raises(UserError, match="images of 4x4 cannot be shrunk to a height of 3"):
        run = trainer()
        run._batches._delivery._data = TrainingData(IMAGES, LABELS, False, low_size=3)
        run.advance()
