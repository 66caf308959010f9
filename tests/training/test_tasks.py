"""Training a classifier of noised images: the loop's promises, accuracy by noise level; and labels left out."""

import math
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from diffbench.base.errors import UserError
from diffbench.base.images import to_float
from diffbench.base.seeds import Stream, seed_torch
from diffbench.diffusion.batch import NoisedBatch
from diffbench.diffusion.denoiser import NO_LABEL, Condition, Diffusion
from diffbench.diffusion.process import noised
from diffbench.networks.noisy_classifier import NoisyClassifier
from diffbench.networks.unet import Unet
from diffbench.training.checkpoints import Checkpoints
from diffbench.training.data import Batches, TrainingData
from diffbench.training.loop import Trainer, learning_rate
from diffbench.training.settings import Training
from diffbench.training.tasks import Classification

torch.set_num_threads(1)
IMAGES = np.random.default_rng(0).integers(0, 256, (11, 4, 4, 1), dtype=np.uint8)
LABELS = torch.arange(11) % 3
DIFFUSION = Diffusion(timesteps=50, rescale_timesteps=True)
SETTINGS = Training(
    steps=5,
    batch_size=4,
    learning_rate=1e-2,
    warmup_steps=0,
    weight_decay=0.1,
    final_learning_rate=0.0,
    annealing="linear",
    log_every=2,
)


def trainer(settings=SETTINGS, labels=LABELS, **data):
    encoder = Unet(
        channels=8,
        channel_multipliers=(1.0, 2.0),
        attention_resolutions=(2,),
        head_channels=4,
        norm_groups=4,
        dropout=0.2,
    )
    seed_torch(0, "init")
    network = NoisyClassifier(encoder).build((1, 4, 4), 3)
    return Trainer(
        Classification(network, DIFFUSION), settings, TrainingData(IMAGES, labels, True, **data), 0, torch.device("cpu")
    )


def weights(done):
    return [*done.network.state_dict().values(), *done.average.state_dict().values()]


def test_resumed_after_any_step_equals_uninterrupted(tmp_path):
    whole = trainer()
    whole.run(Checkpoints(tmp_path / "whole"), 100)
    assert [row["step"] for row in whole.log] == [2, 4, 5]
    for stop in range(5):

        class KilledError(Exception):
            pass

        class Killing(Checkpoints):
            def save(self, state, stop=stop, error=KilledError):
                super().save(state)
                if state["step"] == stop:
                    raise error

        if stop:
            with pytest.raises(KilledError):
                trainer().run(Killing(tmp_path / str(stop)), 1)
        torch.manual_seed(99)
        again = trainer()
        again.run(Checkpoints(tmp_path / str(stop)), 1)
        assert again.log == whole.log
        assert all(torch.equal(a, b) for a, b in zip(weights(again), weights(whole), strict=True))


class Fixed(nn.Module):
    """Logits that a test chose, and what the network was given for t."""

    def __init__(self, logits):
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, x, t):
        self.t = t
        return self.logits[: len(x)]


def test_losses_and_accuracy_by_quarter_are_those_of_the_logits():
    # Steps 49 and 37 lie in the cleanest quarter of 50 (t = 0 and 12), 36 in the next (t = 13), 0 in the noisiest.
    i, y = torch.tensor([49, 37, 36, 0]), torch.tensor([0, 1, 2, 1])
    logits = torch.tensor([[5.0, 0, 0], [5, 0, 0], [0, 0, 2], [0, 3, 0]])
    network = Fixed(logits)
    task = Classification(network, DIFFUSION)
    x = torch.zeros(4, 1, 4, 4)
    losses, counts = task.losses(NoisedBatch(task.chain, i, x, x, x, Condition(y)))
    expected = [-float(torch.log_softmax(logits[k], 0)[y[k]]) for k in range(4)]
    assert losses.tolist() == pytest.approx(expected)
    row = task.row(dict(zip(task.counts, counts.tolist(), strict=True)))
    assert row == {"accuracy_q0": 0.5, "accuracy_q1": 1.0, "accuracy_q2": None, "accuracy_q3": 1.0}
    assert network.t.tolist() == [0.0, 240.0, 260.0, 980.0]


def test_steps_are_uniform():
    task = Classification(Fixed(torch.zeros(1, 3)), DIFFUSION)
    steps, weights = task.steps(Stream(0, "train"), torch.arange(5000), 1)
    assert (weights == 1).all()
    counts = torch.bincount(steps, minlength=50)
    assert len(counts) == 50 and ((counts - 100).abs() < 45).all()


def test_weights_decay_and_the_rate_falls_along_a_line():
    assert [learning_rate(SETTINGS, step) for step in range(5)] == pytest.approx([0.01, 0.008, 0.006, 0.004, 0.002])
    plain, decayed = (trainer(Training(**{**SETTINGS.__dict__, "weight_decay": decay})) for decay in (0.0, 0.5))
    for run in (plain, decayed):
        run.advance()
    before = trainer().network.state_dict()["time_embed.0.weight"]
    difference = plain.network.state_dict()["time_embed.0.weight"] - decayed.network.state_dict()["time_embed.0.weight"]
    torch.testing.assert_close(difference, 0.01 * 0.5 * before, rtol=1e-3, atol=1e-7)


def test_images_without_labels_are_refused():
    with pytest.raises(UserError, match="a classifier is trained on labelled images"):
        trainer(labels=None).advance()


# -- label dropout, of which classifier-free guidance lives


def given_labels(dropout, steps):
    run = trainer(Training(**{**SETTINGS.__dict__, "label_dropout": dropout}))
    seen = []
    losses = run._task.losses

    def spy(batch):
        seen.append(batch.condition.y)
        return losses(replace(batch, condition=Condition(batch.condition.y.clamp(min=0))))

    run._task.losses = spy
    for _ in range(steps):
        run.advance()
    return seen


def test_labels_are_dropped_by_seed_and_step():
    for step, y in enumerate(given_labels(0.4, 4)):
        dropped = Stream(0, "label_dropout").uniform(torch.arange(4), step)[:, 0] < 0.4
        labels = LABELS[Batches(11, 4, 0).at(step)]
        assert torch.equal(y, torch.where(dropped, NO_LABEL, labels))
    assert all((y >= 0).all() for y in given_labels(0.0, 3))


def test_dropped_labels_have_the_stated_share():
    draws = Stream(0, "label_dropout").uniform(torch.arange(20000), 0)[:, 0] < 0.1
    assert math.isclose(draws.double().mean(), 0.1, abs_tol=0.01)


@pytest.mark.parametrize("setting", [{"label_dropout": 1.0}, {"label_dropout": -0.1}], ids=str)
def test_impossible_dropout_is_refused(setting):
    with pytest.raises(ValueError, match="label_dropout"):
        Training(**setting)


def test_no_label_is_a_row_of_its_own():
    settings = Unet(
        channels=8,
        channel_multipliers=(1.0,),
        attention_resolutions=(),
        norm_groups=4,
        class_conditional=True,
        null_label=True,
    )
    network = settings.build((1, 4, 4), 3, False)
    assert network.label_emb.num_embeddings == 4
    for module in network.modules():  # zero-initialised layers would hide the label
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, std=0.1)
    x, t = torch.ones(4, 1, 4, 4), torch.zeros(4)
    out = network(x, t, torch.tensor([NO_LABEL, 3, 0, NO_LABEL]))
    assert torch.equal(out[0], out[1]) and torch.equal(out[0], out[3]) and not torch.equal(out[0], out[2])
    with pytest.raises(ValueError, match="null_label belongs to a network that is class_conditional"):
        Unet(null_label=True)


def test_held_out_images_are_looked_at_and_change_no_weight(tmp_path):
    held_out = TrainingData(IMAGES[:5], LABELS[:5], False)
    with_them, without = trainer(held_out=held_out), trainer()
    with_them.run(Checkpoints(tmp_path / "a"), 100)
    without.run(Checkpoints(tmp_path / "b"), 100)
    assert all(torch.equal(a, b) for a, b in zip(weights(with_them), weights(without), strict=True))
    for row, plain in zip(with_them.log, without.log, strict=True):
        assert {name: row[name] for name in plain} == plain
        assert set(row) - set(plain) == {f"held_out_accuracy_q{quarter}" for quarter in range(4)}
    # By hand: the network's answers to the five images, each at the step and with the noise that its number draws.
    network, chain, rows, stream = (
        with_them.network.eval(),
        with_them._task.chain,
        torch.arange(5),
        Stream(0, "held_out"),
    )
    i = with_them._task.steps(stream, rows, 1)[0]
    x_t = noised(to_float(IMAGES[:5]), chain.level(i), stream.normal(rows, 0, (1, 4, 4)))
    with torch.no_grad():
        right = network(x_t, DIFFUSION.network_timesteps()[i]).argmax(dim=1) == LABELS[:5]
    quarter = 4 * (len(chain) - 1 - i) // len(chain)
    for q in range(4):
        expected = right[quarter == q].double().mean().item() if (quarter == q).any() else None
        assert with_them.log[-1][f"held_out_accuracy_q{q}"] == expected


class Cutting:
    """Crops that are the images, brightened by what was drawn for them; remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, index, draws):
        self.asked.append((index.tolist(), draws))
        futures = []
        for k, row in zip(index.tolist(), draws.tolist(), strict=True):
            futures.append(Future())
            futures[-1].set_result((IMAGES[k] // 2 + int(100 * row[0])).astype(np.uint8))
        return futures


def test_random_crops_are_drawn_anew_for_every_image_of_every_step(tmp_path):
    cuts = Cutting()
    whole = trainer(cuts=cuts)
    whole.run(Checkpoints(tmp_path / "whole"), 100)
    batches = Batches(len(IMAGES), SETTINGS.batch_size, 0)
    # Each step's crops are begun a step ahead.
    steps = SETTINGS.steps + 1
    assert [index for index, _ in cuts.asked] == [batches.at(step).tolist() for step in range(steps)]
    drawn = torch.cat([draws for _, draws in cuts.asked])
    assert drawn.shape == (steps * SETTINGS.batch_size, 3) and len(drawn.unique()) == drawn.numel()
    plain = trainer()
    plain.run(Checkpoints(tmp_path / "plain"), 100)
    assert not all(torch.equal(a, b) for a, b in zip(weights(whole), weights(plain), strict=True))


def test_resumed_with_random_crops_equals_uninterrupted(tmp_path):
    whole = trainer(cuts=Cutting())
    whole.run(Checkpoints(tmp_path / "whole"), 100)
    checkpoints = Checkpoints(tmp_path / "halves")
    half = trainer(cuts=Cutting())
    for _ in range(3):
        half.advance()
    checkpoints.save(half.state())
    again = trainer(cuts=Cutting())
    again.run(checkpoints, 100)
    assert all(torch.equal(a, b) for a, b in zip(weights(again), weights(whole), strict=True))
