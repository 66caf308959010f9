"""An artifact with its record, for the tests of records and of inputs."""

from pathlib import Path

import pytest

from diffbench.base.provenance import write_provenance


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """An artifact of a tree of results, with its record."""
    path = tmp_path / "results/features/x.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(range(200)))
    write_provenance(path, spec={"threads": 1}, facts={"share": 0.1, "classes": {10: "ten", 9: "nine"}})
    return path
