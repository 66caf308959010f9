"""Training as a function of (seed, step): resumed runs, flips, order, the average of the weights, the learning rate."""

import math

import numpy as np
import pytest
import torch

from diffbench.base.errors import UserError
from diffbench.base.images import to_float
from diffbench.base.seeds import Stream, permutation, seed_torch
from diffbench.diffusion.batch import Objective
from diffbench.diffusion.denoiser import Diffusion
from diffbench.diffusion.loss_aware import LossAware, drawn_steps
from diffbench.networks._blocks import recompute
from diffbench.networks.unet import Unet
from diffbench.objectives.hybrid import Hybrid
from diffbench.objectives.simple import Simple
from diffbench.objectives.vlb import Vlb
from diffbench.training.average import WeightAverage
from diffbench.training.checkpoints import Checkpoints
from diffbench.training.data import Batches, TrainingData
from diffbench.training.loop import Trainer, learning_rate
from diffbench.training.settings import Training
from diffbench.training.tasks import Denoising

torch.set_num_threads(1)
CPU = torch.device("cpu")
IMAGES = np.random.default_rng(0).integers(0, 256, (11, 4, 4, 1), dtype=np.uint8)
SETTINGS = Training(steps=7, batch_size=4, learning_rate=1e-2, warmup_steps=3, ema_decay=0.9, log_every=3)


def trainer(
    settings=SETTINGS,
    *,
    hybrid=True,
    seed=0,
    flip=True,
    dropout=0.2,
    labels=None,
    images=IMAGES,
    objective=None,
    **more,
):
    network = Unet(
        channels=8,
        channel_multipliers=(1.0, 2.0),
        residual_blocks=1,
        attention_resolutions=(2,),
        heads=2,
        norm_groups=4,
        dropout=dropout,
        class_conditional=labels is not None,
    )
    diffusion = Diffusion(**{"timesteps": 50, "variance": "learned_range" if hybrid else "fixed_large"} | more)
    seed_torch(seed, "init")
    module = network.build((1, 4, 4), None if labels is None else 3, hybrid)
    data = TrainingData(images, labels, flip)
    task = Denoising(module, diffusion, objective or (Hybrid() if hybrid else Simple()), 256)
    return Trainer(task, settings, data, seed, CPU)


def weights(done):
    return {f"raw.{k}": v.clone() for k, v in done.network.state_dict().items()} | {
        f"ema.{k}": v.clone() for k, v in done.average.state_dict().items()
    }


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    done = trainer()
    done.run(Checkpoints(tmp_path_factory.mktemp("whole")), 100)
    return done


@pytest.mark.parametrize("stop", range(7))
@pytest.mark.parametrize("every", [1, 2])
def test_resumed_after_any_step_equals_uninterrupted(uninterrupted, tmp_path, stop, every):
    first = trainer()
    checkpoints = Checkpoints(tmp_path)
    for _ in range(stop):
        # What `run` does, cut off after `stop` steps.
        first.advance()
        if first.step % SETTINGS.log_every == 0:
            first._note()
        if first.step % every == 0:
            checkpoints.save(first.state())
    torch.manual_seed(99)
    second = trainer(seed=0)
    second.run(checkpoints, every)
    assert second.step == 7 and equal(weights(second), weights(uninterrupted))
    assert second.log == uninterrupted.log


def test_a_run_that_is_killed_in_the_middle(uninterrupted, tmp_path):
    class KilledError(Exception):
        pass

    class Killing(Checkpoints):
        def save(self, state):
            super().save(state)
            if state["step"] == 4:
                raise KilledError

    with pytest.raises(KilledError):
        trainer().run(Killing(tmp_path), 2)
    again = trainer()
    again.run(Checkpoints(tmp_path), 2)
    assert equal(weights(again), weights(uninterrupted)) and again.log == uninterrupted.log


def test_a_finished_run_is_not_trained_further(uninterrupted, tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(uninterrupted.state())
    again = trainer()
    assert again.run(checkpoints, 2) == 0.0
    assert equal(weights(again), weights(uninterrupted))
    checkpoints.remove()
    assert not tmp_path.exists()


LOSS_AWARE = {"objective": Vlb(LossAware(history=1)), "timesteps": 3, "schedule": "cosine"}


@pytest.mark.parametrize("stop", [3, 5])
def test_what_an_objective_remembers_is_resumed_with_the_run(tmp_path, stop):
    whole = trainer(**LOSS_AWARE)
    whole.run(Checkpoints(tmp_path / "whole"), 100)
    assert int(whole._task.state["seen"].sum()) == 7 * 4
    first, checkpoints = trainer(**LOSS_AWARE), Checkpoints(tmp_path / "cut")
    for _ in range(stop):
        first.advance()
        if first.step % SETTINGS.log_every == 0:
            first._note()
    checkpoints.save(first.state())
    # The steps after the checkpoint depend on what was remembered at it.
    assert first._task.objective.probabilities(first._task.state) is not None
    cut = checkpoints.load(CPU)
    again = trainer(**LOSS_AWARE)
    again.run(checkpoints, 100)
    assert equal(weights(again), weights(whole)) and again.log == whole.log
    assert equal(again._task.state, whole._task.state)
    forgetful = trainer(**LOSS_AWARE)
    forgetful.restore(cut | {"task": forgetful._task.objective.start(3)})
    while forgetful.step < 7:
        forgetful.advance()
    assert not equal(weights(forgetful), weights(whole))


def test_the_gradient_is_of_the_weighted_losses_and_the_objective_sees_them_unweighted():
    class Seen(Vlb):
        def update(self, state, i, losses):
            told.append((i, losses.clone()))

        def probabilities(self, state):
            return torch.tensor([0.1, 0.2, 0.3, 0.2, 0.2], dtype=torch.float64)

    told = []
    run = trainer(objective=Seen(), timesteps=5, schedule="cosine", dropout=0.0)
    run.advance()
    ((i, losses),) = told
    stream, rows = Stream(0, "train"), torch.arange(4)
    expected_i, weight = drawn_steps(stream, rows, 1, 5, run._task.objective.probabilities({}))
    assert torch.equal(i, expected_i) and len(weight.unique()) > 1
    assert math.isclose(run._sums[0], (weight * losses).mean(), rel_tol=1e-6)


def test_other_seeds_train_otherwise(uninterrupted, tmp_path):
    other = trainer(seed=1)
    other.run(Checkpoints(tmp_path), 100)
    assert not any(
        torch.equal(value, weights(uninterrupted)[name])
        for name, value in weights(other).items()
        if "time_embed" in name
    )


def test_the_noise_scale_is_of_gradients_before_they_are_clipped(tmp_path):
    """A clipped gradient has the limit's norm, so the scale would be that of directions alone."""
    settings = Training(**{**SETTINGS.__dict__, "gradient_clip": 1e-3})
    run, gradients = trainer(settings), []
    kept = run._gradients.next

    def seen():
        own = [p.grad for p in run.network.parameters() if p.grad is not None]
        gradients.append(torch.cat([grad.flatten() for grad in own]).double())
        return kept()

    run._gradients.next = seen
    run.run(Checkpoints(tmp_path), 100)
    assert float(gradients[0].norm()) > 0.1, "a gradient that no limit has touched"
    products = [float(a @ b) for a, b in zip(gradients, gradients[1:], strict=False)]
    squares = [float(gradient @ gradient) for gradient in gradients]
    # Rows are at steps 3, 6 and 7. The first step has no step before it.
    for row, (begin, end) in zip(run.log, ((0, 3), (3, 6), (6, 7)), strict=True):
        own = products[max(0, begin - 1) : end - 1]
        signal, length = sum(own) / len(own), sum(squares[begin:end]) / (end - begin)
        expected = 4 * (length - signal) / signal if signal > 0 else None
        assert row["gradient_noise"] == pytest.approx(expected, rel=1e-4)


def test_the_log_has_means_over_its_rows(uninterrupted):
    rows = uninterrupted.log
    assert [row["step"] for row in rows] == [3, 6, 7]
    every = trainer(Training(**{**SETTINGS.__dict__, "log_every": 1}))
    for _ in range(7):
        every.advance()
        every._note()
    losses = [row["loss"] for row in every.log]
    assert math.isclose(rows[0]["loss"], sum(losses[:3]) / 3, rel_tol=1e-6)
    assert math.isclose(rows[1]["loss"], sum(losses[3:6]) / 3, rel_tol=1e-6)
    assert math.isclose(rows[2]["loss"], losses[6], rel_tol=1e-6)
    assert [row["learning_rate"] for row in rows] == [learning_rate(SETTINGS, step) for step in (2, 5, 6)]


class Spy(Objective):
    """An objective that keeps its batches."""

    def __init__(self):
        self.batches = []

    def __call__(self, batch):
        self.batches.append(batch)
        return batch.squared_error()


def seen(flip, seed=0, steps=3):
    run = trainer(hybrid=False, flip=flip, seed=seed)
    spy = run._task.objective = Spy()
    for _ in range(steps):
        run.advance()
    return spy.batches


def test_flips_are_coins_of_seed_and_step():
    for step, (flipped, plain) in enumerate(zip(seen(True), seen(False), strict=True)):
        coin = Stream(0, "flip").bits(torch.arange(4), step)
        for row in range(4):
            expected = plain.x_0[row].flip(-1) if coin[row] else plain.x_0[row]
            assert torch.equal(flipped.x_0[row], expected)
        assert torch.equal(flipped.eps, plain.eps) and torch.equal(flipped.i, plain.i)
    coins = torch.stack([Stream(0, "flip").bits(torch.arange(4), step) for step in range(3)])
    assert coins.any() and not coins.all()


def test_batches_noise_and_timesteps_are_those_of_the_step():
    stream = Stream(0, "train")
    for step, batch in enumerate(seen(False)):
        chosen = Batches(11, 4, 0).at(step)
        assert torch.equal(batch.x_0, to_float(IMAGES[chosen.numpy()]))
        assert torch.equal(batch.eps, stream.normal(torch.arange(4), 2 * step, (1, 4, 4)))
        assert torch.equal(batch.i, stream.integers(torch.arange(4), 2 * step + 1, 50))
        level = batch.chain.level(batch.i)
        alpha, sigma = (table.float().reshape(4, 1, 1, 1) for table in (level.alpha, level.sigma))
        torch.testing.assert_close(batch.x_t, alpha * batch.x_0 + sigma * batch.eps)
    assert not torch.equal(seen(False)[0].eps, seen(False, seed=1)[0].eps)


def test_epochs_are_permutations_that_batches_run_across():
    batches = Batches(11, 4, 5)
    order = torch.cat([batches.at(step) for step in range(11)])
    for epoch in range(4):
        assert torch.equal(order[11 * epoch : 11 * (epoch + 1)], permutation(5, epoch, 11))
    assert torch.equal(Batches(11, 4, 5).at(7), order[28:32])
    assert torch.equal(Batches(3, 8, 5).at(0)[:3].sort().values, torch.arange(3))


def test_labels_go_with_their_images():
    labels = torch.arange(11) % 3
    run = trainer(hybrid=False, labels=labels)
    given = []
    forward = run.network.forward
    run.network.forward = lambda x, t, y, low_res: given.append(y) or forward(x, t, y, low_res)
    run.advance()
    assert torch.equal(given[0], labels[Batches(11, 4, 0).at(0)])


def test_the_average_by_its_formula():
    network = torch.nn.Linear(1, 1, bias=False)
    average, expected = WeightAverage(network, 0.6), float(network.weight.detach())
    for step in range(20):
        with torch.no_grad():
            network.weight.fill_(step**0.5)
        average.update(step)
        decay = min(0.6, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step**0.5
        assert math.isclose(average.state_dict()["weight"], expected, rel_tol=1e-5)
    # The cap was reached, and before it the warm-up.
    assert (1 + 0) / (10 + 0) < 0.6 < (1 + 19) / (10 + 19)


def test_the_average_is_apart_from_the_weights():
    network = torch.nn.Linear(1, 1)
    average = WeightAverage(network, 0.9)
    with torch.no_grad():
        network.weight.add_(1)
    assert average.state_dict()["weight"] != network.weight
    other = WeightAverage(torch.nn.Linear(1, 1), 0.9)
    other.load_state_dict(average.state_dict())
    assert other.state_dict()["weight"] == average.state_dict()["weight"]
    other.update(0)
    assert other.state_dict()["weight"] != average.state_dict()["weight"]


def test_the_learning_rate_warms_up_and_falls():
    flat = Training(steps=100, learning_rate=2.0, warmup_steps=4)
    assert [learning_rate(flat, step) for step in (0, 1, 3, 4, 99)] == [0.5, 1.0, 2.0, 2.0, 2.0]
    falling = Training(steps=100, learning_rate=2.0, warmup_steps=0, final_learning_rate=0.1)
    assert learning_rate(falling, 0) == 2.0 and math.isclose(learning_rate(falling, 50), 1.1)
    assert math.isclose(learning_rate(falling, 100), 0.2)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # (step + 1) / 3 of 0.01, then all of it.
        ({"warmup_steps": 3}, [0.01 / 3, 0.02 / 3, 0.01, 0.01, 0.01]),
        # 1 - step / 5 between 0.01 and 0.
        (
            {"warmup_steps": 0, "final_learning_rate": 0.0, "annealing": "linear"},
            [0.01, 0.008, 0.006, 0.004, 0.002],
        ),
        # Both: 2 / 4, 3 / 4, ... of the half cosine between 0.01 and 0.001.
        (
            {"warmup_steps": 4, "final_learning_rate": 0.1},
            [min(1, (k + 1) / 4) * (0.001 + 0.0045 * (1 + math.cos(math.pi * k / 5))) for k in range(5)],
        ),
    ],
    ids=["warm-up", "linear", "warm-up and cosine"],
)
def test_each_step_is_taken_at_its_own_rate(settings, expected):
    """What the optimiser holds while it moves the weights, also after a checkpoint."""
    used, settings = [], Training(steps=5, batch_size=4, learning_rate=0.01, **settings)
    run = trainer(settings, hybrid=False)
    run._optimiser.register_step_pre_hook(lambda adam, *_: used.append([group["lr"] for group in adam.param_groups]))
    for _ in range(3):
        run.advance()
    again = trainer(settings, hybrid=False)
    again.restore(run.state())
    again._optimiser.register_step_pre_hook(lambda adam, *_: used.append([group["lr"] for group in adam.param_groups]))
    for _ in range(2):
        again.advance()
    assert used == [[pytest.approx(rate, rel=1e-12)] for rate in expected]


def test_gradients_are_clipped_and_weights_move_at_the_rate():
    # Adam's first step is the rate times the gradient's sign, whatever its size.
    run = trainer(Training(steps=4, batch_size=4, learning_rate=1e-2, warmup_steps=4), hybrid=False)
    before = weights(run)
    run.advance()
    moved = (weights(run)["raw.out.2.weight"] - before["raw.out.2.weight"]).abs()
    assert math.isclose(moved.max(), 1e-2 / 4, rel_tol=1e-3)
    norms = [p.grad.norm() for p in run.network.parameters()]
    assert torch.stack(norms).norm() <= 1 + 1e-4


def test_a_loss_that_is_not_finite_is_one_line(tmp_path):
    run = trainer(Training(steps=7, batch_size=4, learning_rate=1e30, warmup_steps=0, log_every=7))
    with pytest.raises(UserError, match=r"training: the loss is (nan|inf) at step 7; lower learning_rate") as caught:
        run.run(Checkpoints(tmp_path), 100)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "setting",
    [
        {"steps": 0},
        {"batch_size": -1},
        {"learning_rate": 0.0},
        {"log_every": 0},
        {"ema_decay": 1.0},
        {"final_learning_rate": 1.5},
        {"warmup_steps": -1},
        {"weight_decay": -0.1},
        {"gradient_clip": -1.0},
        {"gradient_clip": 0.0},
        {"learning_rate": float("nan")},
    ],
    ids=str,
)
def test_impossible_settings_are_refused(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        Training(**setting)


@pytest.mark.parametrize("hybrid", [False, True])
def test_activation_checkpointing_changes_no_byte_and_keeps_less(hybrid):
    kept, done = [], []
    for recomputed in (False, True):
        run = trainer(hybrid=hybrid, dropout=0.3)
        if recomputed:
            recompute(run.network)
        elements = 0

        def pack(tensor):
            nonlocal elements
            elements += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            run._task.losses(run._batches.at(0, slice(0, 4))[0])
        kept.append(elements)
        for _ in range(3):
            run.advance()
        done.append((weights(run), run._sums))
    assert equal(done[0][0], done[1][0]) and torch.equal(done[0][1], done[1][1])
    assert kept[1] < kept[0] / 2
