"""Copies of the checkout in which the workflow can be run, changed and killed, apart from the working tree."""

import atexit
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COPIED = (
    *("Snakefile", "workflow", "profiles", "diffbench", "dvc.yaml", ".dvc/config", ".dvc/.gitignore"),
    *(".dvcignore", ".gitignore", "results/README.md"),
)
CONFIG = "workflow/config/digits.yaml"
NOTHING = "Nothing to be done"


class Forks:
    """Runs of Snakemake without jobs, as forks of one process: importing torch and others is most of their time."""

    def __init__(self) -> None:
        # Nothing of diffbench is imported before the fork, since every checkout has its own.
        heavy = ("torch", "sklearn.datasets", "smart_open", "snakemake.report")
        program = [sys.executable, "-P", ROOT / "tests/forks.py", "snakemake", "snakemake.cli:main", *heavy]
        self.process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(self.process.kill)

    def run(self, *arguments: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Return a finished `snakemake ARGUMENTS`."""
        assert self.process.stdin and self.process.stdout
        with tempfile.TemporaryDirectory() as place:
            said = {name: f"{place}/{name}" for name in ("stdout", "stderr")}
            request = {"arguments": arguments, "folder": str(folder), "environment": environment, **said}
            print(json.dumps(request), file=self.process.stdin, flush=True)
            code = int(self.process.stdout.readline())
            texts = {name: Path(path).read_text() for name, path in said.items()}
        return subprocess.CompletedProcess(["snakemake", *arguments], code, **texts)


@functools.cache
def forks() -> Forks:
    """Return the one process that runs without jobs are forks of."""
    return Forks()


@dataclass
class Tree:
    """A checkout without .git, whose default benchmark is small, and commands that run in it."""

    root: Path
    originals: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of a user's shell in the activated environment, without those of this test run."""
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("DIFFBENCH_", "PYTHON", "SNAKEMAKE", "COV_"))
        }
        kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        for role in ("AUTHOR", "COMMITTER"):
            kept |= {f"GIT_{role}_NAME": "test", f"GIT_{role}_EMAIL": "test@localhost"}
        return kept | {"DVC_SITE_CACHE_DIR": str(self.root.parent / "dvc-site"), "DVC_NO_ANALYTICS": "1"}

    def run(self, *command: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Return a finished command; expect: its exit code, None for any."""
        done = subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=600)
        return _expected(done, expect)

    def snakemake(self, *arguments: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Return a finished run of `snakemake --cores 2`; one that starts no job is a fork, any other a process of its own."""
        if {"-n", "--touch"} & set(arguments):
            return self.forked("--cores", "2", *arguments, expect=expect)
        return self.run("snakemake", "--cores", "2", *arguments, expect=expect)

    def forked(
        self, *arguments: str, expect: int | None = 0, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Return a finished run of `snakemake` that starts no job. environment: variables beside the shell's."""
        done = forks().run(*arguments, folder=self.root, environment=self.environment | dict(environment or {}))
        return _expected(done, expect)

    def nothing_to_do(self, *arguments: str) -> bool:
        """Return whether a run, which must succeed, found nothing to do. It starts no job then, so that it is a fork."""
        done = self.forked("--cores", "2", *arguments)
        return NOTHING in done.stdout + done.stderr

    def plan(self, *arguments: str) -> list[tuple[str, dict[str, str]]]:
        """Return the jobs that a run would do now: (rule, wildcards)."""
        text = self.snakemake("-n", *arguments).stdout
        assert "missing provenance" not in text, "without records, changes go unnoticed"
        return self.jobs(text)

    @staticmethod
    def jobs(text: str) -> list[tuple[str, dict[str, str]]]:
        """Return the jobs in what a dry run said: (rule, wildcards)."""
        jobs: list[tuple[str, dict[str, str]]] = []
        for line in text.splitlines():
            if found := re.fullmatch(r"(?:local)?rule (\w+):", line):
                jobs.append((found[1], {}))
            elif line.startswith("    wildcards: "):
                pairs = line.removeprefix("    wildcards: ").split(", ")
                jobs[-1][1].update(pair.split("=", 1) for pair in pairs)
        assert jobs or NOTHING in text, text
        # The page follows each change of a table or figure, so that no plan needs to say so.
        return [(rule, wildcards) for rule, wildcards in jobs if rule not in ("all", "page")]

    @staticmethod
    def count(jobs: list[tuple[str, dict[str, str]]]) -> Counter[str]:
        """Return how often each rule is in a plan."""
        return Counter(rule for rule, _ in jobs)

    def outputs(self, target: str = "table2") -> list[str]:
        """Return all files that a run would make."""
        text = self.snakemake("-n", target).stdout
        lines = [line.removeprefix("    output: ") for line in text.splitlines() if line.startswith("    output: ")]
        return sorted({path for line in lines for path in line.split(", ")})

    def write(self, path: str, text: str) -> None:
        """Write a file, to be restored by `restore`."""
        target = self.root / path
        self.originals.setdefault(path, target.read_text() if target.exists() else "")
        target.write_text(text)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace text that must occur once or more."""
        text = (self.root / path).read_text()
        assert old in text, f"{path} has no {old!r}"
        self.write(path, text.replace(old, new))

    def configure(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the benchmark's configuration."""
        content = yaml.safe_load((self.root / CONFIG).read_text())
        change(content)
        self.write(CONFIG, yaml.safe_dump(content, sort_keys=False))

    def restore(self) -> None:
        """Undo all edits."""
        for path, text in self.originals.items():
            if text:
                (self.root / path).write_text(text)
            else:
                (self.root / path).unlink()
        self.originals.clear()

    def copy(self, target: Path) -> "Tree":
        """Return a copy, results and records included."""
        shutil.copytree(self.root, target, symlinks=True)
        return Tree(target)


def _expected(done: subprocess.CompletedProcess[str], code: int | None) -> subprocess.CompletedProcess[str]:
    if code is not None and done.returncode != code:
        raise AssertionError(f"{done.args} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def reduced(content: dict[str, Any], cascades: bool = False) -> None:
    """Make the smoke benchmark the default one, and smaller still; its cascades have trees of their own."""
    content["benchmark"] = "digits"
    content["bound"] |= {"timesteps": 4, "num_images": 50}
    for model in content["models"].values():
        if "training" in model:
            model["training"]["steps"] = 2
    content["runs"] = [run for run in content["runs"] if cascades or "adm_u" not in run["models"]]
    for run in content["runs"]:
        # As many as there are held-out images: the figure needs them under one protocol.
        run |= {"steps": [2, 3], "num_images": 500}


def fresh_tree(root: Path, cascades: bool = False) -> Tree:
    """Return a checkout with the reduced benchmark and no results."""
    for name in COPIED:
        source, target = ROOT / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy2(source, target)
    tree = Tree(root)
    shutil.copy2(root / "workflow/config/smoke.yaml", root / CONFIG)
    tree.configure(lambda content: reduced(content, cascades))
    tree.originals.clear()
    return tree


def only_upsampling(config: dict[str, Any]) -> None:
    """Leave the smoke benchmark's own run of upsamplers, which the reduced one leaves out."""
    content = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())
    config["runs"] = [run for run in content["runs"] if "adm_u" in run["models"]]


@pytest.fixture(scope="session")
def checkout() -> Callable[[Path], Tree]:
    """A function that makes a checkout without results in a folder."""
    return fresh_tree


@pytest.fixture
def fresh(tmp_path: Path) -> Tree:
    """A checkout without results."""
    return fresh_tree(tmp_path / "diffbench")


def recorded_tree(root: Path, change: Callable[[dict[str, Any]], object], target: str) -> Tree:
    """Return a checkout whose results are empty files, recorded as made by the present code and configuration."""
    tree = fresh_tree(root)
    tree.configure(change)
    tree.originals.clear()
    for path in tree.outputs(target):
        (tree.root / path).parent.mkdir(parents=True, exist_ok=True)
        (tree.root / path).touch()
    tree.snakemake("--touch", "--forceall", target)
    return tree


@pytest.fixture(scope="session")
def recorded_once(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A checkout with the empty files of the reduced benchmark."""
    return recorded_tree(tmp_path_factory.mktemp("recorded") / "diffbench", lambda config: None, "all")


@pytest.fixture(scope="session")
def cascade_once(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A checkout with the empty files of table 5."""
    return recorded_tree(tmp_path_factory.mktemp("cascade") / "diffbench", only_upsampling, "table5")


@pytest.fixture
def cascade(cascade_once: Tree) -> Iterator[Tree]:
    """`cascade_once`, its edits undone after the test: for dry runs only."""
    yield cascade_once
    cascade_once.restore()


@pytest.fixture
def upsampling(fresh: Tree) -> Tree:
    """A checkout without results whose benchmark has the run of upsamplers alone."""
    fresh.configure(only_upsampling)
    return fresh


@pytest.fixture
def recorded(recorded_once: Tree) -> Iterator[Tree]:
    """`recorded_once`, its edits undone after the test: for dry runs only."""
    yield recorded_once
    recorded_once.restore()


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A checkout in which the reduced benchmark has run, with everything that DVC tracks."""
    tree = fresh_tree(tmp_path_factory.mktemp("finished") / "diffbench", cascades=True)
    tree.snakemake()
    return tree


@pytest.fixture
def finished(finished_once: Tree, tmp_path: Path) -> Tree:
    """A copy of a checkout in which the reduced benchmark has run, cascades included."""
    return finished_once.copy(tmp_path / "diffbench")
