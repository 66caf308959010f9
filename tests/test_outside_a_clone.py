"""The package without the clone around it, as a wheel installs it, run from a folder that has nothing of the project."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ASKED = ("--candidate", "heun", "--baseline", "ddim", "--models", "ddpm", "--steps", "5")


def copied(site: Path) -> None:
    """Put the package into a folder of its own."""
    shutil.copytree(ROOT / "diffbench", site / "diffbench", ignore=shutil.ignore_patterns("__pycache__"))


def unpacked(site: Path) -> None:
    """Put the content of a built wheel into a folder."""
    subprocess.run(["uv", "build", "--wheel", "--quiet", "--out-dir", site.parent / "dist", ROOT], check=True)
    (wheel,) = (site.parent / "dist").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(site)


@pytest.fixture(scope="module", params=[copied, pytest.param(unpacked, marks=pytest.mark.slow)])
def outside(request, tmp_path_factory):
    """A function (*arguments) that returns a finished command of a package without Snakefile."""
    folder = tmp_path_factory.mktemp("outside")
    request.param(folder / "site")
    (folder / "empty").mkdir()
    text = (ROOT / "workflow/config/smoke.yaml").read_text()
    (folder / "empty/own.yaml").write_text(text.replace("benchmark: smoke", "benchmark: own"))
    environment = {**os.environ, "PYTHONPATH": str(folder / "site"), "OMP_NUM_THREADS": "1"}

    def run(*arguments):
        command = [sys.executable, "-P", "-m", "diffbench", *arguments]
        return subprocess.run(
            command, cwd=folder / "empty", env=environment, capture_output=True, text=True, timeout=300
        )

    return run


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check",), "the default benchmark is in a clone"),
        (("plan",), "the default benchmark is in a clone"),
        (("compare-samplers", *ASKED), "clone the project"),
        (("compare-samplers", *ASKED, "--configfile", "own.yaml"), "clone the project"),
        (("adopt",), "clone the project"),
    ],
)
def test_what_needs_the_workflow_says_so_in_one_line(outside, arguments, said):
    done = outside(*arguments)
    assert (done.returncode, done.stdout) == (2, "") and said in done.stderr
    assert done.stderr.startswith("diffbench: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [("check", "own.yaml"), ("protocols",), ("import", "--list"), ("--version",)])
def test_what_needs_no_workflow_works(outside, arguments):
    done = outside(*arguments)
    assert done.returncode == 0 and done.stdout and "Traceback" not in done.stderr
