"""The command `diffbench contract`: each check of each kind fails on a part that breaks what it promises."""

import importlib

import pytest

from diffbench.commands.contract.run import KINDS

BROKEN = {
    "sampler": (
        "Sleepy",
        """
from dataclasses import dataclass
from diffbench import State

@dataclass(frozen=True)
class Sleepy:
    order = 2
    startup_order = 1
    stochastic = False
    applies_gradient = False

    def __call__(self, denoiser, chain, x_T, noise):
        x = x_T
        for i in range(len(chain)):
            x_0 = denoiser(x, chain.level(i)).x_0 + 0.1 * x_T.mean()
            x = chain.level(i + 1).alpha * x_0 + chain.level(i + 1).sigma * noise(0)
            yield State(chain.level(i + 1), x, x_0)
""",
        {"noise_draws", "cuts", "moments", "convergence", "order"},
    ),
    "metric": (
        "Sloppy",
        """
import numpy as np
from dataclasses import dataclass
from diffbench import Estimate

@dataclass(frozen=True)
class Sloppy:
    features: str = "pool"
    label = ""
    higher_is_better = False
    consumes = "features"

    def __call__(self, generated, reference):
        value = float(np.abs(generated["pool"][0]).sum())
        return Estimate(value, value + 1, value + 2)
""",
        {"declarations", "number", "order_of_images", "interval_shrinks", "bad_numbers", "one_image", "missing_array"}
        | {"other_width"},
    ),
    "dataset": (
        "Mixed",
        """
import numpy as np
from dataclasses import dataclass
from diffbench import Split

@dataclass(frozen=True)
class Mixed:
    levels: int = 17
    flip = False
    num_classes = 2
    shape = (9, 9, 1)

    def open(self, split):
        images = np.random.randint(0, 2, (6, 4, 4, 1)).astype(np.float32) * 0 + np.random.rand()
        return Split(7, (4, 4, 1), np.arange(7), iter([images]))
""",
        {"images", "labels", "levels", "twice", "known_shape"},
    ),
    "network": (
        "Lazy",
        """
import torch
from dataclasses import dataclass
from torch import nn

@dataclass(frozen=True)
class Lazy:
    class_conditional: bool = True

    def build(self, shape, num_classes, learns_variance):
        return Module(shape[0])

class Module(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.inner = nn.Conv2d(channels, channels, 1)
        self.unused = nn.Linear(3, 3)

    def forward(self, x, t, y=None, low_res=None):
        return self.inner(x - x.mean()) + torch.randn(()) * 0.1
""",
        {"output", "repeated", "batch_alone", "gradients", "weights"},
    ),
    "objective": (
        "Meaned",
        """
from dataclasses import dataclass
from diffbench import Objective

@dataclass(frozen=True)
class Meaned(Objective):
    needs_variance = False

    def __call__(self, batch):
        return batch.squared_error().detach().mean() + 0 * batch.squared_error()

    def steps(self, stream, index, draw, length, state):
        i, weight = super().steps(stream, index, draw, length, state)
        return i // 2, weight
""",
        {"alone", "gradients", "steps"},
    ),
    "guidance": (
        "Pushy",
        """
from dataclasses import dataclass, replace

@dataclass(frozen=True)
class Pushy:
    scale: float = 1.0
    needs_classifier = True
    before_clipping = False

    def __call__(self, denoiser, gradient, *, applies_gradient):
        def guided(x, level, condition=None):
            said = denoiser(x, level, condition)
            return replace(said, x_0=said.x_0 + gradient(x, level, condition).mean())
        return guided
""",
        {"no_guidance", "more_guidance", "consistent", "alone"},
    ),
    "schedule": (
        "flat",
        """
import numpy as np

def flat(timesteps):
    return np.random.rand(timesteps) * 1e-6
""",
        {"twice", "ends"},
    ),
    "extractor": (
        "Batchy",
        """
import numpy as np
from dataclasses import dataclass

@dataclass(frozen=True)
class Batchy:
    features = ("pool", "more")
    needs_weights = False

    def network(self, weights=None, device="cpu"):
        return lambda images: {"pool": (images - images.mean()).reshape(len(images), -1)}

    def weights_sha256(self, weights=None):
        return "none"
""",
        {"features"},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_part_fails_the_checks_that_it_breaks(kind, diffbench, tmp_path):
    name, code, broken = BROKEN[kind]
    (tmp_path / f"own_{kind}.py").write_text(code)
    done = diffbench("contract", kind, f"own_{kind}.{name}", cwd=tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr + done.stdout, done.stderr
    *lines, summary = done.stdout.splitlines()
    wrong = [line for line in lines if line.startswith("WRONG")]
    module = importlib.import_module(f"diffbench.commands.contract.{kind}")
    promised = {
        function.__doc__.split("\n")[0].removesuffix(".") for key, function in vars(module).items() if key in broken
    }
    assert len(promised) == len(broken)
    unseen = [promise for promise in promised if not any(f"WRONG      {promise}: " in line for line in wrong)]
    assert not unseen, done.stdout
    good = sum(line.startswith("ok ") for line in lines)
    assert summary.startswith(f"{kind} own_{kind}.{name}: {good} of {len(lines)} checks are good")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("samplr", "ddim"), "contract: no kind 'samplr'; did you mean 'sampler'?"),
        (("sampler", "ddmi"), "contract sampler: no sampler 'ddmi'; did you mean 'ddim'?"),
        (("sampler", "ddim etaa=1"), "sampler ddim: unknown key 'etaa'; did you mean 'eta'?"),
        (("metric", "nowhere.Mine"), "contract metric: cannot import 'nowhere' for 'nowhere.Mine'"),
        (("schedule", "linear steps=3"), "contract schedule: linear is a function of T alone and takes no options"),
        (("dataset", "folder"), "dataset folder: 'path' is missing"),
    ],
)
def test_mistakes_are_one_line(arguments, message, diffbench, tmp_path):
    done = diffbench("contract", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("diffbench: ") and message in done.stderr and done.stderr.count("\n") == 1


def test_what_is_good_and_what_cannot_be_judged_end_with_0(diffbench, tmp_path):
    done = diffbench("contract", "dataset", "digits", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.endswith("dataset digits: 7 of 8 checks are good, 1 not judged\n")
    assert "\nnot judged Its images can be cut" in done.stdout
