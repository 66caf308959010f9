"""The claims that exist, found by their files, and claims of your own by their dotted paths."""

import pkgutil
from collections.abc import Sequence
from pathlib import Path

from diffbench.base.errors import UserError
from diffbench.base.plugins import load, nearest
from diffbench.comparison.claims._contract import Claim


def claim_ids() -> list[str]:
    """Return the ids of all claims, in the order of the papers and then of the numbers."""
    stems = [item.name for item in pkgutil.iter_modules([str(Path(__file__).parent)]) if not item.name.startswith("_")]
    return sorted((stem.replace("_", "-").upper() for stem in stems), key=_order)


def module_of(claim: str) -> str:
    """Return the dotted name of the module that holds a claim."""
    if "." in claim:
        return claim.rpartition(".")[0]
    return f"{__name__.rpartition('.')[0]}.{claim.lower().replace('-', '_')}"


def claims_named(names: Sequence[str]) -> list[Claim]:
    """Return claims by their ids, or by the dotted paths of classes of your own; all of them if none is named.

    Raises: UserError with the nearest ids if there is no such claim, or a class is not a claim.
    """
    return [claim_named(name) for name in (names or claim_ids())]


def claim_named(name: str) -> Claim:
    """Return a claim by its id, in any case, or by the dotted path of a class. Raises: UserError."""
    known = claim_ids()
    if "." not in name and name.upper() not in known:
        raise UserError(f"no claim '{name}'; {nearest(name.upper(), known)}")
    # The class is named like its file: ddpm_1.py holds Ddpm1.
    stem = name.lower().replace("-", "_")
    path = name if "." in name else f"{module_of(name)}.{''.join(part.capitalize() for part in stem.split('_'))}"
    part = load("claims", path)
    if not issubclass(part, Claim):
        raise UserError(f"{name}: is not a claim; let the class inherit from diffbench.comparison.claims.Claim")
    missing = [key for key in ("id", "source", "statement") if not isinstance(getattr(part, key, None), str)]
    if missing or part.__abstractmethods__:
        lacks = missing[0] if missing else "a method __call__(self, evidence)"
        raise UserError(f"{name}: has no {lacks}, which every claim needs")
    return part()


def _order(claim: str) -> tuple[int, str, int]:
    paper, _, number = claim.partition("-")
    papers = ("DDPM", "IDDPM", "ADM", "DDIM", "FAST", "EVAL")
    return (papers.index(paper) if paper in papers else len(papers), paper, int(number))
