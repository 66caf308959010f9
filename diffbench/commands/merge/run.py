"""The command: it checks trees, and copies their artifacts, logs and Snakemake's records into a new one."""

import filecmp
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import RESULTS
from diffbench.benchmark.foreign import snakemake_record
from diffbench.benchmark.places import CONFIGURATION, remember_configuration
from diffbench.commands.merge.alike import require_alike, require_one_content
from diffbench.commands.merge.tree import SUMMARIES, Part, part_of, record_of
from diffbench.commands.missing import making
from diffbench.commands.verify.run import verify

PLACES = (RESULTS, ".snakemake/metadata")
"""The folders of a tree: its results, and Snakemake's records of them."""


def merge(given: Sequence[Path], out: Path, config: Path | None = None) -> str:
    """Return what was merged, in lines. The new tree is complete, or nothing is written.

    given: folders of results. out: the folder that will hold the merged `results`. config: the benchmark's YAML; None
    for the one that made the first tree. Raises: UserError if a file is damaged, or trees do not belong together.
    """
    if len(given) < 2:
        raise UserError("merge: name at least two folders of results")
    _require_free(out)
    parts = [part_of(path) for path in given]
    _require_outside(out, parts)
    if len({branch.home.resolve() for branch in parts}) < len(parts):
        raise UserError("merge: one folder of results is named twice")
    require_one_content(parts)
    require_alike(parts)
    left = _left_out(parts)
    config = config or _configured(parts)
    with tempfile.TemporaryDirectory(prefix=".merge_", dir=out.absolute().parent) as scratch:
        staged = Path(scratch, "staged")
        unrecorded = _copy_artifacts(parts, left, staged)
        _copy_logs(parts, staged)
        _require_whole(staged)
        if config is not None:
            remember_configuration(staged, config.absolute())
            _follow_configuration(staged, out, config)
        _put(staged, out)
    return "\n".join(_said(parts, left, out, config, unrecorded))


def _require_free(out: Path) -> None:
    """Raise UserError if a folder holds results, or cannot be made. A clone without results is free."""
    if os.path.lexists(out) and not out.is_dir():
        raise UserError(f"--out {out}: is no folder; name a new one")
    held = [path for place in PLACES if (out / place).is_dir() for path in (out / place).iterdir()]
    if any(path.name != "README.md" for path in held):
        raise UserError(f"--out {out}: holds results already; name a new folder")
    if not out.absolute().parent.is_dir():
        raise UserError(f"--out {out}: {out.absolute().parent} is no folder; make it first")


def _require_outside(out: Path, parts: Sequence[Part]) -> None:
    """Raise UserError if a folder is inside one that is merged, which would then hold everything twice."""
    for branch in parts:
        if any(out.resolve().is_relative_to((branch.home / place).resolve()) for place in PLACES):
            raise UserError(f"--out {out}: is inside {branch.name}, which is merged; name a folder outside of it")


def _put(staged: Path, out: Path) -> None:
    """Move the merged tree to its place, which may be a clone."""
    if not out.exists():
        staged.rename(out)
        return
    for place in PLACES:
        (out / place).mkdir(parents=True, exist_ok=True)
        for path in (staged / place).iterdir() if (staged / place).is_dir() else ():
            path.rename(out / place / path.name)
    if (staged / CONFIGURATION).is_file():
        (staged / CONFIGURATION).replace(out / CONFIGURATION)


def _left_out(parts: Sequence[Part]) -> set[str]:
    """Return the tables and figures that not all trees have with the same bytes: they summarise only a part."""
    found = {path for branch in parts for path in branch.artifacts if branch.stage(path) in SUMMARIES}
    hashes = {
        path: {branch.artifacts[path]["sha256"] if path in branch.artifacts else None for branch in parts}
        for path in found
    }
    return {path for path, contents in hashes.items() if len(contents) > 1}


def _configured(parts: Iterable[Part]) -> Path | None:
    """Return the file that configured the first tree that names one, if it is still there."""
    for branch in parts:
        try:
            file = Path(os.path.normpath(branch.home / (branch.home / CONFIGURATION).read_text().strip()))
        except OSError:
            continue
        if file.is_file():
            return file
    return None


def _copy_artifacts(parts: Sequence[Part], left: set[str], staged: Path) -> int:
    """Copy each artifact with its record and Snakemake's, and return how many have none of Snakemake's."""
    unrecorded = 0
    for branch in parts:
        for path in branch.artifacts:
            if path in left or (staged / path).exists():
                continue
            for file in (path, record_of(path)):
                _copy(branch.home / file, staged / file)
                of_snakemake = snakemake_record(branch.home, file)
                if of_snakemake.is_file():
                    _copy(of_snakemake, snakemake_record(staged, file))
                else:
                    unrecorded += file == path
    return unrecorded


def _copy_logs(parts: Sequence[Part], staged: Path) -> None:
    """Copy all logs. One that differs from that of a tree before it is in a folder of its own, logs/merged_2."""
    for number, branch in enumerate(parts, start=1):
        for path in branch.logs:
            target = staged / path
            if target.is_file() and filecmp.cmp(target, branch.home / path, shallow=False):
                continue
            if target.exists():
                first, folder, *rest = Path(path).parts
                target = staged.joinpath(first, folder, f"merged_{number}", *rest)
            _copy(branch.home / path, target)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _require_whole(staged: Path) -> None:
    """Raise UserError if the copy is damaged, or an artifact was made from another version of one of another tree."""
    found = verify(staged / RESULTS)
    if found.bad:
        raise UserError(f"nothing was merged: {found.bad[0]}")


def _follow_configuration(staged: Path, out: Path, config: Path) -> None:
    """Write the path of the benchmark's file as it is from the tree's final place on."""
    (staged / CONFIGURATION).write_text(f"{os.path.relpath(config.absolute(), out.absolute())}\n")


def _said(parts: Sequence[Part], left: set[str], out: Path, config: Path | None, unrecorded: int) -> list[str]:
    made = [path for branch in parts for path in branch.artifacts if path not in left]
    lines = [f"{branch.name}: {sum(path not in left for path in branch.artifacts)} artifacts" for branch in parts]
    lines.append(f"merged: {out}, {len(set(made))} artifacts, {len(made) - len(set(made))} of them in several")
    if unrecorded:
        lines.append(
            f"note: Snakemake has no record of {unrecorded} of them, and may make them again; `diffbench adopt {out}` "
            "keeps them"
        )
    if left:
        lines.append(f"left out: {len(left)} tables and figures of parts; they are made from all scores by")
    else:
        lines.append("tables and figures are made from all scores by")
    return [*lines, f"    {making('', config).replace('all  ', 'all ').strip()}"]
