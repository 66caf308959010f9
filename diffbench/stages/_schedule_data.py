"""Curves of noise schedules, for the figure that shows them."""

from collections.abc import Mapping, Sequence

import numpy as np

from diffbench.diffusion.spacings import respaced


def schedules_of(chains: Mapping[str, int], steps: Sequence[int]) -> dict[str, dict[int, dict[str, np.ndarray]]]:
    """Return the curves of schedules: of the whole training chain, and of chains of some of its levels.

    chains: the lengths of training chains by schedule. steps: the lengths of the others; those that are not shorter
    than a training chain are left out.
    """
    found = {}
    for name, timesteps in chains.items():
        counts = [*(count for count in dict.fromkeys(steps) if 1 < count < timesteps), timesteps]
        found[name] = {count: _curves_of(name, timesteps, count) for count in counts}
    return found


def _curves_of(schedule: str, timesteps: int, count: int) -> dict[str, np.ndarray]:
    """Return t / T, alpha_bar and beta_tilde / beta of a chain in ascending t."""
    from diffbench.diffusion.process import respaced_chain  # it imports torch, which no other figure needs

    chain = respaced_chain(schedule, timesteps, str(count))
    alpha_bar, ratio = (value.flip(0).numpy() for value in (chain.alphas[:-1] ** 2, chain.beta_tilde / chain.beta))
    t = (np.asarray(respaced(timesteps, str(count))) + 1) / timesteps
    return {"t": t, "alpha_bar": alpha_bar, "ratio": ratio}
