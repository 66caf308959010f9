"""Files that other stages rely on: written whole or not at all, with their provenance beside them.

An artifact and its `.json` are functions of inputs alone. What differs from run to run (time, machine, memory)
goes to a run record, which no hash covers.
"""

import errno
import fcntl
import hashlib
import json
import os
import platform
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.record_types import require_provenance

PACKAGES = (
    *("numpy", "pandas", "pillow", "pyarrow", "safetensors", "scikit-learn", "scipy"),
    *("torch", "torch-fidelity", "torchvision"),
)
"""Distributions whose version can change a byte of an artifact. All are recorded with each one, whatever a process has
imported by then: a record is a function of the job."""

FAMILIES = ("diffusers",)
"""Distributions of which parts are taken by name (`diffusers:DDIMScheduler`); recorded where a spec has such a name."""


TREE = "results"
"""The folder of a benchmark's artifacts, below the one in which its jobs run."""

DIGEST = "record_sha256"
"""The key of a provenance under which the digest of all its other content stands."""

UNWRITABLE = {errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.ENOTDIR}
"""Errors of the file system that a person can mend."""


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes its place, on error it is removed.

    A reader therefore sees the old file or the whole new one. The data are on disk before the name is.

    Raises: UserError where the folder cannot be written or the disk is full.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.errno in UNWRITABLE:
            reason = os.strerror(error.errno or 0)
            raise UserError(f"{path}: cannot be written ({reason}); free space or fix permissions") from error
        raise
    finally:
        # Where nothing can be written, nothing was, and the reason is on its way already.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def sha256(path: Path | str) -> str:
    """Return the hexadecimal SHA-256 of a file, read in blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Any) -> str:
    """Return the hexadecimal SHA-256 of a JSON value in canonical form."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


FOREIGN = "file:"
"""What a digest under `upstream` begins with that is of a file's own content: of one that no job of ours made."""


def spec_digest(spec: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits that name a spec and, by its `upstream`, everything that came before it."""
    return digest(spec)[:16]


def foreign_digest(content: str, record: Mapping[str, Any] | None) -> str:
    """Return the digest of a file that no job of ours made: of its content and of the facts in a record beside it.

    content: its SHA-256. The facts of imported weights say what they were made for, and decide how they are sampled.
    """
    about = content if record is None else digest([content, record["facts"]])
    return FOREIGN + about[:16]


def spec_of_one(spec: Mapping[str, Any], source: str, position: int) -> dict[str, Any]:
    """Return a job's spec as one of its outputs records it: of a list under `upstream`, only what that one comes from.

    A set of images has the same features, record included, whichever sets the job extracted beside it.
    """
    upstream = spec.get("upstream", {})
    if not isinstance(upstream.get(source), list):
        return dict(spec)
    return {**spec, "upstream": {**upstream, source: upstream[source][position]}}


def provenance_path(path: Path | str) -> Path:
    """Return the path of an artifact's provenance: the artifact's own with `.json` appended."""
    return Path(f"{path}.json")


def versions_of(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the versions that belong to a job: of all packages that can change a byte, and of a family it names."""
    text = json.dumps(spec)
    named = [name for name in FAMILIES if f'"{name}:' in text]
    return {name: metadata.version(name) for name in sorted((*PACKAGES, *named))}


@dataclass(frozen=True)
class Inputs:
    """Files that a job reads, each hashed once and found to be what the record beside it says.

    All three by the name that the job's own record gives a file; `records` holds those of the files that have one.
    """

    paths: Mapping[str, Path]
    sha256: Mapping[str, str]
    records: Mapping[str, "Recorded"]

    def __or__(self, other: "Inputs") -> "Inputs":
        """Return the files of both."""
        return Inputs({**self.paths, **other.paths}, {**self.sha256, **other.sha256}, {**self.records, **other.records})

    def only(self, *names: str) -> "Inputs":
        """Return those of these names."""
        return self.renamed({name: name for name in names})

    def renamed(self, names: Mapping[str, str]) -> "Inputs":
        """Return those that `names` holds, under the names that it gives them."""
        held = (self.paths, self.sha256, self.records)
        return Inputs(*({new: kept[name] for name, new in names.items() if name in kept} for kept in held))


NOTHING = Inputs({}, {}, {})


def checked(
    inputs: Mapping[str, Path | str | None],
    *,
    foreign: Collection[str] = (),
    upstream: Mapping[str, str] = MappingProxyType({}),
) -> Inputs:
    """Return a job's inputs with their hashes, each compared with the one in the record beside it. None: not given.

    foreign: names of files that may come from elsewhere and need no record; where they have one, it counts. upstream:
    as `upstream_of` returns it.
    Raises: UserError naming the file that is missing, has no record, is not what its record says, or was made from
    something else than the job is to be made from.
    """
    paths = {name: Path(path) for name, path in inputs.items() if path is not None}
    require_files(list(paths.values()))
    hashes, records = {}, {}
    for name, path in paths.items():
        if name not in foreign or provenance_path(path).is_file():
            records[name] = read_provenance(path)
        hashes[name] = sha256(path)
        if name in records and records[name]["sha256"] != hashes[name]:
            raise UserError(f"{path}: {difference(hashes[name], records[name]['sha256'])}; {way_out(path)}")
        if name in upstream:
            require_upstream(path, upstream[name], records.get(name), hashes[name])
    return Inputs(paths, hashes, records)


def upstream_of(spec: Mapping[str, Any], **several: Sequence[Path]) -> dict[str, str]:
    """Return the digests that a spec expects of its inputs, by the input's name; nothing where it expects none.

    several: files that stand as a list under one name of `upstream`; they are named by their paths.
    Raises: UserError where they are not as many as the spec expects.
    """
    held = spec.get("upstream", {})
    found = {name: expected for name, expected in held.items() if isinstance(expected, str) and name not in several}
    for source, paths in several.items():
        expected = held.get(source, [])
        expected = [expected] if isinstance(expected, str) else expected
        if source in held and len(expected) != len(paths):
            raise UserError(f"--{source}: {len(paths)} files, and the spec is of {len(expected)}")
        found |= dict(zip(map(str, paths), expected, strict=False))
    return found


def require_upstream(path: Path, expected: str, record: Mapping[str, Any] | None, found: str) -> None:
    """Raise UserError where a file was made from other settings, code or data than a digest names.

    record: the file's. found: its own SHA-256, which tells a file that no job of ours made.
    """
    if expected.startswith(FOREIGN):
        agrees = foreign_digest(found, record) == expected
    else:
        agrees = record is not None and spec_digest(record["spec"]) == expected
    if not agrees:
        raise UserError(f"{path}: was made from other settings, code or data than this job is of; {way_out(path)}")


def difference(found: str, recorded: Any) -> str:
    """Return the words for an artifact whose hash is another than its record's."""
    return f"is not what its record says (sha256 {found[:12]}, recorded {str(recorded)[:12]}), so damaged or edited"


def way_out(artifact: Path | str) -> str:
    """Return how an artifact is made again: by its own name in a tree of results, where that repeats no other job."""
    parts = Path(artifact).parts
    if TREE in parts:
        target = "/".join(parts[parts.index(TREE) :])
        return f"make it again: snakemake --cores all -f {target}, with the run's own --configfile"
    return f"remove it and {provenance_path(artifact)}, and repeat what made it (`diffbench import` what was imported)"


def write_provenance(
    path: Path | str,
    *,
    spec: Mapping[str, Any],
    inputs: Inputs = NOTHING,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write `<path>.json`: the spec that asked for the artifact, hashes of inputs and output, versions, facts.

    spec: all settings, with the code's hash under `code`. facts: what the stage found out while it worked
    (network evaluations, FLOPs), functions of the inputs alone. Where an input stands is recorded for those of the tree
    in which the job works (`results/...`), since that is the same on every machine.
    """
    content = {
        "artifact": Path(path).name,
        "sha256": sha256(path),
        "inputs": dict(inputs.sha256),
        "places": {name: path.as_posix() for name, path in inputs.paths.items() if path.parts[:1] == (TREE,)},
        "spec": dict(spec),
        "facts": dict(facts or {}),
        "versions": versions_of(spec) | {"python": platform.python_version()},
        "threads": spec.get("threads") or thread_count(),
    }
    write_recorded(provenance_path(path), content)


def write_recorded(source: Path, content: Mapping[str, Any]) -> None:
    """Write a provenance with the digest of its own content, by which a later change of it is found."""
    with replacing(source) as temporary:
        temporary.write_text(recorded_text(content))


def recorded_text(content: Mapping[str, Any]) -> str:
    """Return the text of a provenance, with the digest of its own content."""
    # Through JSON first, which turns keys into texts: their order, and with it the digest, is then that of a reader.
    plain = json.loads(json.dumps({key: value for key, value in content.items() if key != DIGEST}))
    return json.dumps(plain | {DIGEST: digest(plain)}, indent=1, sort_keys=True) + "\n"


def thread_count() -> int:
    """Return the threads that numeric libraries use here where a job's spec does not say it."""
    return int(os.environ.get("OMP_NUM_THREADS", "0")) or os.cpu_count() or 1


class Recorded(dict[str, Any]):
    """What a provenance records; a key that is asked for and not there is an error that names the file."""

    source: Path

    def __missing__(self, key: str) -> Any:
        raise UserError(f"{self.source}: records no '{key}'; the artifact beside it is of another stage than is needed")


def read_provenance(path: Path | str) -> dict[str, Any]:
    """Return what stands in `<path>.json`.

    Raises: UserError where there is none, it is not JSON or was changed, and later for a key that it does not hold.
    """
    return read_recorded(provenance_path(path))


def read_recorded(source: Path) -> dict[str, Any]:
    """Return what stands in a provenance itself, as `read_provenance`.

    Its text must be the one that was written, to the byte: whoever reads a record relies on all of it.
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


@contextmanager
def run_record(path: Path | str | None, **fields: Any) -> Iterator[dict[str, Any]]:
    """Yield a dictionary for what this run cost; at the end it is written with seconds, peak memory, machine and date.

    path None: nothing is written. Run records are never inputs of anything that a hash covers.
    """
    record: dict[str, Any] = dict(fields)
    started = time.perf_counter()
    # Interpreter start and imports: CPU seconds that this process had used before its work began.
    before = resource.getrusage(resource.RUSAGE_SELF)
    record["startup_cpu_seconds"] = round(before.ru_utime + before.ru_stime, 3)
    yield record
    if path is None:
        return
    usage = resource.getrusage(resource.RUSAGE_SELF)
    record |= {
        "seconds": round(time.perf_counter() - started, 3),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
        "peak_memory_mib": peak_memory_mib(),
        "machine": socket.gethostname(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_commit": git_commit(),
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")


def peak_memory_mib() -> float:
    """Return the largest resident memory of this process so far.

    Linux's own record: getrusage's survives exec, and would be that of the process which started this one.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


def git_commit() -> str | None:
    """Return the commit of the working directory, or None outside a repository or without git."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--verify", "--quiet", "HEAD"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None


@contextmanager
def exclusive(folder: Path | str) -> Iterator[Path]:
    """Yield `folder`, created and locked against a second writer until the end or the death of this process.

    Raises: UserError where another living process holds it.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / ".lock", "w")  # noqa: SIM115  (held for the length of the block)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); fix permissions or free space") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{folder}: another process is at work there; wait for it or end it") from None
        yield folder


def require_files(paths: Sequence[Path | str]) -> None:
    """Raise UserError naming the first path that is not a readable file."""
    for path in paths:
        if not Path(path).is_file():
            raise UserError(f"{path}: no such file")
