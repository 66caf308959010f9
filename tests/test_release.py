"""What a release promises: one version, and a wheel that leaves the torch beside which it is installed."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import diffbench

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DEPENDENCIES = {one.name: one.specifier for one in map(Requirement, PROJECT["project"]["dependencies"])}
TESTED = [Requirement(one) for one in PROJECT["tool"]["uv"]["constraint-dependencies"]]


def test_every_version_is_the_projects():
    version = PROJECT["project"]["version"]
    assert diffbench.__version__ == version
    done = subprocess.run([sys.executable, "-m", "diffbench.cli", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"diffbench {version}\n")
    assert f"\n## {version} " in (ROOT / "CHANGELOG.md").read_text()


def test_the_package_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "diffbench", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"diffbench {diffbench.__version__}\n")


def test_the_citation_is_complete():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= citation.keys() and citation["title"].startswith(
        "diffbench"
    )


@pytest.mark.parametrize("torch", ["2.6.0", "2.9.1+cu128", "2.15.0"])
def test_a_wheel_leaves_the_torch_that_is_there(torch):
    """An installer replaces an installed version only if it is outside the range."""
    assert DEPENDENCIES["torch"].contains(torch)
    for name, ranges in DEPENDENCIES.items():
        assert not any(one.operator in ("==", "===") for one in ranges), f"{name} has one version"


@pytest.mark.parametrize("tested", TESTED, ids=lambda one: one.name)
def test_the_tested_version_is_in_the_range_and_in_the_lock(tested):
    (version,) = [one.version for one in tested.specifier]
    assert version in DEPENDENCIES.get(tested.name, tested.specifier)
    assert re.findall(rf"^{tested.name}==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE) == [version]
