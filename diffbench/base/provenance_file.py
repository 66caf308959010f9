"""The provenance of an artifact, a `.json` file beside it: its path, and how it is written, read and checked."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffbench.base.digests import digest
from diffbench.base.errors import UserError
from diffbench.base.record_types import require_provenance
from diffbench.base.writing import replacing

RESULTS = "results"
"""The folder of a benchmark's artifacts, in the folder in which its jobs run."""


DIGEST = "record_sha256"
"""The key for the digest of everything else in a provenance."""


def provenance_path(path: Path | str) -> Path:
    """Return the path of an artifact's provenance: the artifact's own with `.json` appended."""
    return Path(f"{path}.json")


class Recorded(dict[str, Any]):
    """The content of a provenance. To ask for a key that it lacks is a UserError that names the file."""

    source: Path

    def __missing__(self, key: str) -> Any:
        raise UserError(
            f"{self.source}: records no '{key}'; its artifact was made by another stage than the one needed"
        )


def read_provenance(path: Path | str) -> Recorded:
    """Return the content of `<path>.json`.

    Raises: UserError if the file is missing, is not JSON or was changed, and later for a key that it lacks.
    """
    return read_recorded(provenance_path(path))


def read_recorded(source: Path) -> Recorded:
    """Return the content of the provenance file `source`, as `read_provenance` does for an artifact's.

    The text must be what was written, to the byte, because every part of a record is relied on.
    """

    def recorded(found: dict[str, Any]) -> Recorded:
        value = Recorded(found)
        value.source = source
        return value

    artifact = str(source).removesuffix(".json")
    try:
        text = source.read_text()
        content = json.loads(text, object_hook=recorded)
    except FileNotFoundError:
        raise UserError(f"{source}: missing; run the stage that makes {artifact} again") from None
    except OSError as error:
        raise UserError(f"{source}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise UserError(f"{source}: not JSON; {way_out(artifact)}") from None
    if not isinstance(content, Recorded):
        raise UserError(f"{source}: not a provenance; {way_out(artifact)}")
    if DIGEST not in content:
        raise UserError(f"{source}: has no digest of its own, so an older version wrote it; {way_out(artifact)}")
    if recorded_text(content) != text:
        raise UserError(f"{source}: was changed after it was written; {way_out(artifact)}")
    require_provenance(content, source)
    return content


def write_recorded(source: Path, content: Mapping[str, Any]) -> None:
    """Write a provenance with the digest of its own content, which shows if it is changed later."""
    with replacing(source) as temporary:
        temporary.write_text(recorded_text(content))


def recorded_text(content: Mapping[str, Any]) -> str:
    """Return the text of a provenance, with the digest of its own content."""
    # JSON turns keys into strings. The digest is of the content as it is read back, whose keys may sort differently.
    plain = json.loads(json.dumps({key: value for key, value in content.items() if key != DIGEST}))
    return json.dumps(plain | {DIGEST: digest(plain)}, indent=1, sort_keys=True) + "\n"


def difference(found: str, recorded: Any) -> str:
    """Return the part of a message that says how an artifact's hash differs from the one in its record."""
    return (
        f"is not what its record says (sha256 {found[:12]}, recorded {str(recorded)[:12]}), so it was damaged or edited"
    )


def way_out(artifact: Path | str) -> str:
    """Return the part of a message that says how to make an artifact again: in a tree of results, by its own name.

    The command names this artifact alone, so that no other job is repeated.
    """
    parts = Path(artifact).parts
    if RESULTS in parts:
        target = "/".join(parts[parts.index(RESULTS) :])
        return f"make it again: snakemake --cores all -f {target}, with the run's own --configfile"
    return f"remove it and {provenance_path(artifact)}, and repeat what made it (`diffbench import` what was imported)"
