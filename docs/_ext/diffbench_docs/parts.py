"""The folders of parts as Markdown: what each holds, and the contract that a part keeps."""

import importlib
from pathlib import Path

import diffbench
from diffbench.base.plugins import contract_of, names
from diffbench_docs.names import documented, returned

SHARED = (
    "diffbench.base.records.Estimate",
    "diffbench.base.seeds.Stream",
    "diffbench.datasets._split.Split",
    "diffbench.diffusion.denoiser.Condition",
    "diffbench.diffusion.denoiser.Denoiser",
    "diffbench.diffusion.denoiser.Diffusion",
    "diffbench.diffusion.loss_aware.LossAware",
    "diffbench.diffusion.parameterization.Prediction",
    "diffbench.diffusion.process.Chain",
    "diffbench.diffusion.process.Level",
)
"""Types that contracts name and that are not public names of the package."""

PACKAGE = Path(diffbench.__file__).parent


def text() -> str:
    """Return a section for each folder of parts that has a contract."""
    folders = sorted(path.parent.name for path in PACKAGE.glob("*/_contract.py"))
    elsewhere = {*returned(), *(f"{home}.{name}" for name, home in diffbench.PUBLIC.items())}
    shared = [documented(name) for name in SHARED if name not in elsewhere]
    return "\n\n".join([*map(_section, folders), "## Types that contracts name", *shared])


def _section(folder: str) -> str:
    contract = contract_of(folder)
    assert contract is not None
    held = ", ".join(f"`{name}`" for name in names(folder))
    said = (importlib.import_module(f"diffbench.{folder}").__doc__ or "").strip()
    shown = documented(f"{contract.__module__}.{contract.__qualname__}")
    return f"## {folder.capitalize()}\n\n{said}\n\nThe package has {held}.\n\n{shown}"
