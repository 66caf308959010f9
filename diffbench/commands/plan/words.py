"""What a plan says in words: numbers, sizes, times, and jobs beside each other."""

import math


def scaled(number: float) -> str:
    """Return a large number with four digits and a suitable SI prefix: 1.234 T."""
    prefixes = ("", " k", " M", " G", " T", " P", " E", " Z", " Y")
    power = min(len(prefixes) - 1, max(0, int(math.log10(max(number, 1)) // 3)))
    return f"{number / 1000**power:.4g}{prefixes[power]}"


def spoken(seconds: float) -> str:
    """Return a time in the unit that suits it: 95 s, 8 min, 3.5 h, 84 days."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 2 * 86400:
        return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"
    return f"{seconds / 86400:,.0f} days"


def sized(number: float) -> str:
    """Return a number of bytes in the unit that suits it: 3.1 MiB, 24 GiB."""
    units = ("B", "KiB", "MiB", "GiB", "TiB")
    power = min(len(units) - 1, max(1, int(math.log2(max(number, 1)) // 10)))
    number /= 1024**power
    return f"{number:.1f} {units[power]}" if number < 100 else f"{number:,.0f} {units[power]}"


def jobs_beside(workers: int) -> str:
    """Return in words how many jobs run at the same time."""
    return f"{workers} jobs side by side" if workers > 1 else "one job at a time"
