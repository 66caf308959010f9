"""Numbers of two protocols do not compare, so that a figure shows one."""

import pandas


def main_protocol(samples: pandas.DataFrame) -> str | None:
    """Return the protocol of most rows, the first of equals; None where no row names one."""
    held = samples["protocol"].dropna()
    if held.empty:
        return None
    counts = held.value_counts(sort=False)
    return next(name for name in held.unique() if counts[name] == counts.max())
