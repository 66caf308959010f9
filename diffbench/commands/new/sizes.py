"""The choice of a new benchmark's sizes: training steps, width, pictures' size and rows that fill the stated time.

Of what fits, the richest is taken. If time is short, training gets fewer steps first, then the network fewer channels,
then the pictures fewer pixels, and last the table fewer rows.
"""

from dataclasses import dataclass, replace
from itertools import product, takewhile
from typing import Protocol

from diffbench.base.errors import UserError
from diffbench.commands.check.notes import FEW, MANY_PASSES
from diffbench.commands.new.facts import Facts

BATCH = 32

LEAST_STEPS = {128: 30_000, 96: 15_000, 64: 8000, 48: 5000, 32: 3000, 24: 2000, 16: 800}
"""Training steps that a network of so many channels should have; with fewer, a narrower one is better. The two ends
are known: digits of 8x8 are good after 1,600 steps at 24 channels, and papers train 128 channels for 500,000 steps."""

NARROWEST = {64: 48, 32: 24}
"""The fewest channels for pictures of so many pixels, as long as smaller pictures are possible."""

WIDEST = 64
"""The most channels for few images. Wider networks only learn them by heart."""

FEWEST_STEPS = 200
"""Training steps of the smallest benchmark of all."""

MOST_STEPS = 800_000
"""Training steps of Ho et al. for CIFAR-10."""

ROUNDED = 50
"""Training steps are a multiple of this."""

ROUNDS = 4
"""How often the networks are timed, or the steps corrected, at most."""

CLOSE = 0.02
"""How far the expected time may exceed the stated one, as a share of it."""

MOST_SAMPLES = 500


@dataclass(frozen=True)
class Rows:
    """The rows of a table: models and step counts, under two samplers each."""

    models: tuple[str, ...]
    steps: tuple[int, ...]


TABLES = (
    Rows(("ddpm", "iddpm"), (10, 25, 50)),
    Rows(("ddpm", "iddpm"), (10, 25)),
    Rows(("iddpm",), (10, 25)),
)
"""Tables, the richest first."""


@dataclass(frozen=True)
class Sizes:
    """The sizes of a benchmark. side: width of images in pixels. channels: of the networks' first layer."""

    rows: Rows
    side: int
    channels: int
    training_steps: int
    num_images: int

    @property
    def multipliers(self) -> tuple[int, ...]:
        """Channel multipliers: twice the channels below the first halving, and down to a map of 4 to 7 pixels."""
        found, side = [1], self.side
        while side % 2 == 0 and side > 7 and len(found) < 4:
            found, side = [*found, 2], side // 2
        return tuple(found)

    @property
    def attention(self) -> int:
        """The width of the smallest feature map, which gets attention."""
        return self.side // 2 ** (len(self.multipliers) - 1)

    @property
    def learning_rate(self) -> float:
        """A rate that falls with the width: 2e-3 at 24 channels, 4e-4 at 128."""
        return round(2e-3 * 24 / max(24, self.channels), 4)


class Prices(Protocol):
    """What benchmarks cost on this machine."""

    def time(self, sizes: Sizes, /) -> None:
        """Time the networks of these sizes, for the prices that are asked from now on."""

    def seconds(self, sizes: Sizes, /) -> float:
        """Return the expected seconds of a benchmark of these sizes."""
        ...


def fitting(facts: Facts, budget: float, prices: Prices) -> Sizes:
    """Return the richest sizes whose expected seconds are about the budget.

    Raises: UserError naming the least budget if none fits.
    """
    poorest = _sizes(facts, TABLES[-1], min(facts.sides), min(LEAST_STEPS))
    prices.time(poorest)
    chosen = poorest
    for _ in range(ROUNDS):
        richest = _richest(facts, budget, prices) or poorest
        if richest == chosen:
            break
        chosen = richest
        prices.time(chosen)
    if prices.seconds(chosen) > budget:
        chosen = replace(chosen, training_steps=FEWEST_STEPS)
        least = prices.seconds(chosen)
        if least > budget:
            raise UserError(
                f"--minutes {budget / 60:g}: too short; the smallest benchmark takes {least / 60:.1f} minutes here"
            )
    return _filled(chosen, budget, prices, most=_most_steps(facts))


def _most_steps(facts: Facts) -> int:
    """Return the training steps after which few images have been seen as often as `check` allows without a note."""
    return MANY_PASSES * facts.num_train // BATCH if facts.num_train < FEW else MOST_STEPS


def _sizes(facts: Facts, rows: Rows, side: int, channels: int) -> Sizes:
    return Sizes(rows, side, channels, LEAST_STEPS[channels], num_images=min(facts.num_test, MOST_SAMPLES))


def _richest(facts: Facts, budget: float, prices: Prices) -> Sizes | None:
    """Return the sizes with the most rows, then pixels, then channels, that fit with their least training."""
    for rows, side in product(TABLES, facts.sides):
        narrowest = 0 if side == min(facts.sides) else NARROWEST.get(side, 0)
        # From narrow to wide, because counting the operations of a wide network that will not fit takes time.
        widest = WIDEST if facts.num_train < FEW else max(LEAST_STEPS)
        widths = sorted(
            channels
            for channels, steps in LEAST_STEPS.items()
            if narrowest <= channels <= widest and steps <= _most_steps(facts)
        )
        tried = (_sizes(facts, rows, side, channels) for channels in widths)
        fit = list(takewhile(lambda sizes: prices.seconds(sizes) <= budget, tried))
        if fit:
            return fit[-1]
    return None


def _filled(sizes: Sizes, budget: float, prices: Prices, *, most: int) -> Sizes:
    """Return sizes with as many training steps as fill the budget, found along a line through two prices."""
    price = prices.seconds(sizes)
    for _ in range(ROUNDS):
        twice = replace(sizes, training_steps=2 * sizes.training_steps)
        seconds_of_step = (prices.seconds(twice) - price) / sizes.training_steps
        # While another job is longer than training, more steps cost nothing yet.
        more = int((budget - price) / seconds_of_step) if seconds_of_step > 0 else sizes.training_steps
        steps = min(most, sizes.training_steps + more) // ROUNDED * ROUNDED
        higher = replace(sizes, training_steps=steps)
        found = prices.seconds(higher)
        if higher.training_steps <= sizes.training_steps or found > budget * (1 + CLOSE):
            break
        sizes, price = higher, found
    return sizes
