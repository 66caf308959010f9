"""A sampler on data whose answers are known: whether its errors fall with the number of steps as it declares."""

from dataclasses import dataclass

import pandas

from diffbench.api.asked import AskedSampler, sampler_asked
from diffbench.base.errors import UserError
from diffbench.commands.oracle.claims import Claim
from diffbench.commands.oracle.run import one_thread, order_claims, printed
from diffbench.commands.oracle.runs import run_samplers
from diffbench.commands.sampler_option import Entry


@dataclass(frozen=True)
class Proof:
    """What was measured of a sampler. errors: on each data set and chain. claims: on the order of these errors."""

    claims: tuple[Claim, ...]
    errors: pandas.DataFrame

    @property
    def holds(self) -> bool:
        """Whether the errors fall as the sampler declares."""
        return all(claim.holds for claim in self.claims)

    def __str__(self) -> str:
        return printed(self.claims)

    __repr__ = __str__


def prove(sampler: AskedSampler) -> Proof:
    """Return a sampler's errors on normal data and on a mixture, whose best denoiser and flow are known exactly.

    sampler: a name, an object or a class of your own, as in `Model.sample`. It takes a few seconds and no network, and
    is the part of `diffbench oracle --sampler` that is about the sampler. Raises: UserError if it fails, or has no
    order because it chooses its own steps.
    """
    entry = sampler_asked(sampler, {}, None, "interpolate")
    if entry.adaptive:
        raise UserError(f"sampler {entry.name}: chooses its own steps, so that there is no order to measure")
    with one_thread():
        table = run_samplers([Entry(entry.name, entry.part)]).table()
    return Proof(tuple(order_claims(table)), table)
