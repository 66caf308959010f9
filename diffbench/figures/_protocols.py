"""The one protocol that a figure shows, because numbers under two protocols do not compare."""

import pandas


def main_protocol(samples: pandas.DataFrame) -> str | None:
    """Return the protocol that most rows have, the first of them if several do; None if no row names one."""
    held = samples["protocol"].dropna()
    if held.empty:
        return None
    counts = held.value_counts(sort=False)
    return next(name for name in held.unique() if counts[name] == counts.max())
