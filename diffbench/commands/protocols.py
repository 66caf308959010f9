"""`diffbench protocols`: a description of what each protocol fixes."""

from collections.abc import Sequence

from diffbench.base.plugins import load, names


def protocols_text(chosen: Sequence[str]) -> str:
    """Return the named protocols, or all if none is named, as text with one line for each thing that they fix."""
    return "\n\n".join(_block(name) for name in chosen or names("protocols"))


def _block(name: str) -> str:
    part = load("protocols", name, "protocols")()
    held = part.described()
    metrics = held.pop("metrics")
    lines = [f"{name} (version {held.pop('version')}): {(part.__doc__ or '').strip().splitlines()[0]}"]
    held["n"] = held.pop("num_images") or "as sampled"
    held["rounding"] = held["rounding"] or "as sampled"
    order = ("extractor", "resize", "rounding", "n", "reference", "source", "deviations")
    lines += [f"  {key:<11}{held[key]}" for key in order]
    for metric, options in metrics.items():
        settings = ", ".join(f"{key} = {value}" for key, value in options.items())
        lines.append(f"  {'metric':<11}{metric}{f' ({settings})' if settings else ''}")
    return "\n".join(lines)
