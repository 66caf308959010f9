"""The training loop. All random numbers depend on (seed, step) alone, so an interrupted run resumes exactly."""

import math
import time
from typing import Any

import torch
from torch import nn

from diffbench.base.errors import UserError
from diffbench.base.forward import placed
from diffbench.base.images import to_float
from diffbench.base.numerics import DEFAULT_NUMERICS, Numerics
from diffbench.base.progress import progress
from diffbench.base.seeds import Stream
from diffbench.diffusion.batch import noised_batch
from diffbench.diffusion.denoiser import Condition
from diffbench.training.average import WeightAverage
from diffbench.training.checkpoints import Checkpoints
from diffbench.training.data import TrainingData
from diffbench.training.gradient import UNDIVIDED, Division, StepGradient, parts_of
from diffbench.training.gradient_noise import GradientProducts, noise_scale
from diffbench.training.settings import Training
from diffbench.training.sharding import like, shard, whole
from diffbench.training.step_batches import StepBatches
from diffbench.training.tasks import Task
from diffbench.training.validation import Validator

HELD_OUT = 512
"""The most held-out images that are evaluated for a row of the log."""


def learning_rate(settings: Training, step: int) -> float:
    """Return the learning rate of a step: a linear warm-up times a fall to the final share of the rate.

    The fall follows a half cosine or a line; a final share of 1 keeps the rate constant.
    """
    warm = min(1.0, (step + 1) / settings.warmup_steps) if settings.warmup_steps else 1.0
    done = step / settings.steps
    fall = 1 - done if settings.annealing == "linear" else 0.5 * (1 + math.cos(math.pi * done))
    return settings.learning_rate * warm * (settings.final_learning_rate + (1 - settings.final_learning_rate) * fall)


class Trainer:
    """A training run: the task and its network, the average, the optimiser, the number of steps done and the log."""

    def __init__(
        self,
        task: Task,
        settings: Training,
        data: TrainingData,
        seed: int,
        device: torch.device,
        validator: Validator | None = None,
        numerics: Numerics = DEFAULT_NUMERICS,
        division: Division = UNDIVIDED,
    ):
        """Raises: UserError if the processes cannot share the batch."""
        self.network: nn.Module = placed(task.network, numerics, device)
        self._division, parts = division, parts_of(settings, division)
        if division.sharded:
            shard(self.network, division.world, device)
        self.average = WeightAverage(self.network, settings.ema_decay)
        self._task, self._settings, self._data = task, settings, data
        self._seed, self._device, self._validator = seed, device, validator
        self._optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        task.to(device)
        self._batches = StepBatches(task, settings, data, seed, device, slice(parts[0].start, parts[-1].stop))
        self._gradient = StepGradient(task, settings, self._batches, self.network, seed, division)
        self.step = 0
        self.log: list[dict[str, float | None]] = []
        # Sums since the last row of the log: of the loss, of the gradient's norm, its square and its product with the
        # gradient before, and of the task's counts.
        self._sums = torch.zeros(4 + len(task.counts), device=device, dtype=torch.float64)
        self._gradients = GradientProducts(self.network)

    def run(self, checkpoints: Checkpoints, checkpoint_every: int) -> float:
        """Train to the end from the newest checkpoint, and return the number of images per second.

        Raises: UserError if the loss is no longer finite.
        """
        self.restore(self._newest(checkpoints))
        started, first, batch_size = time.perf_counter(), self.step, self._settings.batch_size
        rate = 0.0
        with progress(self._settings.steps, "train", initial=self.step) as bar:
            while self.step < self._settings.steps:
                self.advance()
                if self.step % self._settings.log_every == 0 or self.step == self._settings.steps:
                    # A step only tells a GPU what to do. The row of the log waits until it is done.
                    loss = self._note()
                    rate = (self.step - first) * batch_size / (time.perf_counter() - started)
                    bar.set_postfix_str(f"loss {loss:.4f}, {rate:.0f} images/s", refresh=False)
                if self._validator is not None:
                    self._validator.after(self.network, self.average, self.step, self._settings)
                if self.step % checkpoint_every == 0 or self.step == self._settings.steps:
                    self._save(checkpoints)
                bar.update()
        return rate

    def _newest(self, checkpoints: Checkpoints) -> dict[str, Any] | None:
        """Return the newest checkpoint that is not damaged, which is the same for all processes."""
        world = self._division.world
        found = checkpoints.load(self._device) if world.leads else None
        step = world.told(found and found["step"])
        # The first process has set aside what is damaged.
        found = found if world.leads else checkpoints.load(self._device)
        if (found and found["step"]) != step:
            raise UserError(
                f"{checkpoints.folder}: process {world.rank} does not find the checkpoint of step {step} there; put "
                "--cache on a file system that all processes share"
            )
        return found

    def _save(self, checkpoints: Checkpoints) -> None:
        state = self.state()
        if self._division.world.leads:
            checkpoints.save(state)
        # The others go on when it is written, so that a job that ends here has lost nothing.
        self._division.world.barrier()

    def advance(self) -> None:
        """Take one step."""
        settings, step = self._settings, self.step
        self.network.train()
        self._optimiser.zero_grad(set_to_none=True)
        found = self._gradient.at(step)
        product = self._gradients.next()
        if self._division.sharded:
            product = self._division.world.total(product)
        limit = settings.gradient_clip or math.inf
        norm = whole(nn.utils.clip_grad_norm_(self.network.parameters(), limit)).to(self._device)
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate(settings, step)
        self.average.settle()
        self._optimiser.step()
        self.average.update(step)
        self._task.update(found.i, found.losses)
        length = norm.detach().double()
        counted = torch.stack([found.loss.double(), length, length.square(), product])
        self._sums += torch.cat([counted, found.counts.double()])
        self.step += 1

    @torch.no_grad()
    def _held_out(self) -> dict[str, float | None]:
        """Return the task's columns of the log for held-out images, whose noise is the same for every row."""
        data = self._data.held_out
        if data is None:
            return {}
        stream, chain = Stream(self._seed, "held_out", self._device), self._task.chain
        sums = torch.zeros(len(self._task.counts), device=self._device, dtype=torch.float64)
        self.network.eval()
        for rows in torch.arange(min(HELD_OUT, len(data.images))).split(self._settings.batch_size):
            x_0 = to_float(data.images[rows.numpy()], self._device)
            y = None if data.labels is None else data.labels[rows].to(self._device)
            eps = stream.normal(rows, 0, x_0.shape[1:])
            i = self._task.steps(stream, rows, 1)[0]
            sums = sums + self._task.losses(noised_batch(chain, i, x_0, eps, Condition(y)))[1]
        found = self._task.row(dict(zip(self._task.counts, sums.tolist(), strict=True)))
        return {f"held_out_{name}": value for name, value in found.items()}

    def _note(self) -> float:
        """Append a row to the log and return the mean loss since the last one."""
        since = self.step - (int(self.log[-1]["step"] or 0) if self.log else 0)
        loss_sum, norm_sum, squares, products, *counts = self._sums.tolist()
        loss = loss_sum / since
        if not math.isfinite(loss):
            raise UserError(f"training: the loss is {loss} at step {self.step}; lower learning_rate or gradient_clip")
        # The first step of a training has no step before it.
        pairs = max(1, since if self.log else since - 1)
        noise = noise_scale(squares / since, products / pairs, self._settings.batch_size)
        row = {"step": self.step, "loss": loss, "gradient_norm": norm_sum / since, "gradient_noise": noise}
        rate = {"learning_rate": learning_rate(self._settings, self.step - 1)}
        counted = self._task.row(dict(zip(self._task.counts, counts, strict=True)))
        self.log.append(row | rate | counted | self._held_out())
        self._sums.zero_()
        return loss

    def state(self) -> dict[str, Any]:
        """Return everything that other processes need to continue the run; all processes must call this."""
        measured = {} if self._validator is None else {"validation": self._validator.state}
        state = measured | {
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "task": self._task.state,
            "log": self.log,
            "sums": self._sums,
            "gradients": self._gradients.state,
        }
        return whole(state, keep=self._division.world.leads) if self._division.sharded else state

    def restore(self, state: dict[str, Any] | None) -> None:
        """Continue from the state of a checkpoint; None leaves the run at its start."""
        if state is None:
            return
        self.step, self.log = state["step"], state["log"]
        held = self.network.state_dict()
        self.network.load_state_dict({name: like(held[name], found) for name, found in state["network"].items()})
        self.average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])
        for parameter, moments in self._optimiser.state.items():
            moments |= {name: like(parameter, moments[name]) for name in ("exp_avg", "exp_avg_sq")}
        for name, tensor in self._task.state.items():
            tensor.copy_(state["task"][name])
        self._sums.copy_(state["sums"])
        self._gradients.restore(state["gradients"])
        if self._validator is not None:
            self._validator.restore(state["validation"])
