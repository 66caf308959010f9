"""A guard against results of other settings, code or data that Snakemake would not make again.

Snakemake judges by its own records (.snakemake/metadata). An old table would be taken for one of a new configuration
if these records are missing (the results were copied, or pulled without them), were written again (--touch), or are
not used (--rerun-triggers mtime). The record beside each artifact says what it was really made from.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from diffbench.base.digests import spec_digest
from diffbench.base.errors import UserError
from diffbench.base.inputs import checked
from diffbench.base.provenance_file import provenance_path
from diffbench.benchmark.foreign import glanced, snakemake_specs
from diffbench.benchmark.graph import Artifact
from diffbench.benchmark.outdated import Held, outdated

NO_RUN = ("--mode", "--unlock", "--delete-all-output")
"""Options of commands that are no runs: a job that an executor started, or a command that makes nothing."""

FORCED = ("--forceall", "-F")
FORCED_SOME = ("--force", "-f", "--forcerun", "-R")


def is_run(words: Sequence[str]) -> bool:
    """Return whether a command makes the results that are out of date, and no others. words: the command's."""
    return not _has(words, *FORCED, *NO_RUN)


def makes_nothing(words: Sequence[str]) -> bool:
    """Return whether a command is a job that an executor started, or makes nothing. words: the command's."""
    return _has(words, *NO_RUN)


def require_own_results(
    home: Path, artifacts: Iterable[Artifact], tables: Iterable[Artifact], words: Sequence[str]
) -> list[Held]:
    """Return the outdated artifacts that a run makes again; none for a command that is no run.

    words: the command's. Raises: UserError if a run would keep results that are not the configuration's.
    """
    found = outdated(home, artifacts) if is_run(words) else []
    _require_made_again(home, found, words)
    if not _has(words, *FORCED, *FORCED_SOME, *NO_RUN):
        _require_unedited(home, tables)
    return found


def _require_made_again(home: Path, found: Sequence[Held], words: Sequence[str]) -> None:
    """Raise UserError if Snakemake would not make one of these outdated artifacts again."""
    if not _has(words, "--rerun-triggers"):
        found = [made for made in found if not _will_run(home, made)]
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        raise UserError(
            f"{home}: {found[0].path}{more} are of other settings, code or data than this configuration, and "
            "Snakemake's records (.snakemake/metadata) do not show it: they are missing, or --touch or "
            "--rerun-triggers was given; bring the records back (dvc checkout), or make all again with --forceall"
        )


def _will_run(home: Path, made: Held) -> bool:
    """Return whether Snakemake will make an outdated artifact again, by its own record of it."""
    specs = snakemake_specs(home, made.path)
    # The spec of a job may cover several outputs. They all have the same sources and the same code.
    return bool(specs) and all(spec_digest(spec) != spec_digest(made.present) for spec in specs)


def _require_unedited(home: Path, tables: Iterable[Artifact]) -> None:
    """Raise UserError if a table was edited: it exists, so Snakemake would not make it again."""
    made = {table.path for table in tables if (home / table.path).is_file()}
    checked({path: home / path for path in made if "spec" in glanced(provenance_path(home / path))})


def _has(words: Sequence[str], *options: str) -> bool:
    """Return whether a command has one of these options."""
    return any(word.split("=")[0] in options for word in words)
