"""The package without the clone around it, as a wheel installs it, run from a folder that has nothing of the project."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image

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

    run.folder = folder / "empty"
    return run


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check",), "the default benchmark is in a clone"),
        (("plan",), "the default benchmark is in a clone"),
        (("compare-samplers", *ASKED), "clone the project"),
        (("compare-samplers", *ASKED, "--configfile", "own.yaml"), "clone the project"),
        (("adopt",), "clone the project"),
        (("compare", "a.json", "b.json"), "a.json: no such file of scores"),
        (("compare", "a/b/1", "c/d/1"), "in a clone of the project"),
        (("verify",), "in a clone of the project"),
        (("costs",), "in a clone of the project"),
        (("import", "nowhere.pt"), "nowhere.pt: no such file"),
    ],
)
def test_what_cannot_be_done_here_is_one_line_with_the_way_out(outside, arguments, said):
    done = outside(*arguments)
    assert (done.returncode, done.stdout) == (2, "") and said in done.stderr
    assert done.stderr.startswith("diffbench: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [("check", "own.yaml"), ("protocols",), ("import", "--list"), ("--version",), ("contract", "schedule", "cosine")],
)
def test_what_needs_no_workflow_works(outside, arguments):
    done = outside(*arguments)
    assert done.returncode == 0 and done.stdout and "Traceback" not in done.stderr


def test_a_new_benchmark_says_that_its_run_needs_a_clone(outside):
    """It is written here all the same: its command names it by its whole path, for another working directory."""
    folder = outside.folder
    (folder / "pictures").mkdir(exist_ok=True)
    for number in range(24):
        Image.new("L", (8, 8), 10 * number).save(folder / f"pictures/{number}.png")
    (folder / "pictures.yaml").unlink(missing_ok=True)
    done = outside("new", "--folder", "pictures", "--minutes", "600", "--size", "8")
    assert done.returncode == 0, done.stderr
    said, command = done.stdout.splitlines()[-2:]
    assert said == "next, in a clone of the project, because the installed package has no workflow:"
    assert command == f"  snakemake --cores all results/table2.csv --configfile {folder / 'pictures.yaml'}"
