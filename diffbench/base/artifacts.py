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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError

PACKAGES = {
    "diffusers": "diffusers",
    "numpy": "numpy",
    "pandas": "pandas",
    "pillow": "PIL",
    "pyarrow": "pyarrow",
    "safetensors": "safetensors",
    "scikit-learn": "sklearn",
    "scipy": "scipy",
    "torch": "torch",
    "torch-fidelity": "torch_fidelity",
    "torchvision": "torchvision",
}
"""Distributions whose version can change a byte of an artifact, and the modules they bring."""

FAMILIES = ("diffusers",)
"""Those whose members are parts under the family's name: `diffusers:DDIMScheduler`."""


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


def provenance_path(path: Path | str) -> Path:
    """Return the path of an artifact's provenance: the artifact's own with `.json` appended."""
    return Path(f"{path}.json")


def loaded_versions() -> dict[str, str]:
    """Return the versions of the packages, among those that can change a byte, that this process has imported."""
    return {name: metadata.version(name) for name, module in PACKAGES.items() if module in sys.modules}


def versions_of(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the versions that belong to a job: of what it imported, and of a family's package if the spec names it.

    What else happened to be in this process before, a family that another job used, does not count.
    """
    text = json.dumps(spec)
    return {name: version for name, version in loaded_versions().items() if name not in FAMILIES or f'"{name}:' in text}


def write_provenance(
    path: Path | str,
    *,
    spec: Mapping[str, Any],
    inputs: Mapping[str, Path | str] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write `<path>.json`: the spec that asked for the artifact, hashes of inputs and output, versions, facts.

    spec: all settings, with the code's hash under `code`. facts: what the stage found out while it worked
    (network evaluations, FLOPs), functions of the inputs alone.
    """
    content = {
        "artifact": Path(path).name,
        "sha256": sha256(path),
        "inputs": {name: sha256(source) for name, source in sorted((inputs or {}).items())},
        "spec": dict(spec),
        "facts": dict(facts or {}),
        "versions": versions_of(spec) | {"python": platform.python_version()},
        "threads": thread_count(),
    }
    with replacing(provenance_path(path)) as temporary:
        temporary.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


def thread_count() -> int:
    """Return the threads that numeric libraries use here (torch's, when it is loaded)."""
    if "torch" in sys.modules:
        return sys.modules["torch"].get_num_threads()
    return int(os.environ.get("OMP_NUM_THREADS", "0")) or os.cpu_count() or 1


class Recorded(dict[str, Any]):
    """What a provenance records; a key that is asked for and not there is an error that names the file."""

    source: Path

    def __missing__(self, key: str) -> Any:
        raise UserError(f"{self.source}: records no '{key}'; the artifact beside it is of another stage than is needed")


def read_provenance(path: Path | str) -> dict[str, Any]:
    """Return what stands in `<path>.json`.

    Raises: UserError where there is none or it is not JSON, and later for a key that it does not hold.
    """
    return read_recorded(provenance_path(path))


def read_recorded(source: Path) -> dict[str, Any]:
    """Return what stands in a provenance itself, as `read_provenance`."""

    def recorded(found: dict[str, Any]) -> Recorded:
        value = Recorded(found)
        value.source = source
        return value

    artifact = str(source).removesuffix(".json")
    try:
        content = json.loads(source.read_text(), object_hook=recorded)
    except FileNotFoundError:
        raise UserError(f"{source}: missing; run the stage that makes {artifact} again") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise UserError(f"{source}: not JSON; remove it and run the stage that makes {artifact} again") from None
    if not isinstance(content, Recorded):
        raise UserError(f"{source}: not a provenance; remove it and run the stage that makes {artifact} again")
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
