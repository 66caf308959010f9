"""Fixed random Inception weights: the published ones cannot be downloaded everywhere, and agreement between
implementations does not need them, for all run on the same.
"""

import importlib
import json
import os
import re
import runpy
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest

SAMPLERS = "DIFFBENCH_TEST_SAMPLERS"
PROCESSES = 2


def pytest_addoption(parser):
    """Add --sampler, which runs the samplers' contract test on your own samplers instead of the package's."""
    parser.addoption("--sampler", action="append", default=[], help="a dotted path; again for more")


@pytest.hookimpl(tryfirst=True)  # before that of pytest-xdist, which starts the processes
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run the whole suite in two processes, each file in one of them; what is named on the command line runs in one."""
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    # Each of the two comes here too, with the same arguments.
    is_one_of_them = "PYTEST_XDIST_WORKER" in os.environ
    if whole and not is_one_of_them and getattr(config.option, "numprocesses", 0) is None and not config.option.usepdb:
        # The order of files stays ours: see pytest_collection_modifyitems.
        config.option.numprocesses, config.option.dist, config.option.loadscopereorder = PROCESSES, "loadfile", False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests of the workflow, which are the longest, so that two processes end at about the same time."""
    items.sort(key=lambda item: "tests/workflow/" not in item.nodeid)


@pytest.hookimpl(trylast=True)  # after jaxtyping's, from which on modules are checked
def pytest_configure(config):
    """Set the environment of all tests, and hand the option on to where tests are parametrized, which is at import."""
    # Two processes share the cores. What a test starts takes one thread too.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ[SAMPLERS] = " ".join(config.getoption("--sampler"))
    # `uv run pytest` sets it, and messages then name commands with `uv run`.
    os.environ.pop("UV_RUN_RECURSION_DEPTH", None)
    if config.getoption("--jaxtyping-packages", default=None):
        _check_types_as_python_means_them()


CONTRACTS = ("extractors", "formats", "guidance", "metrics", "networks", "samplers", "tables")


def _check_types_as_python_means_them():
    """Let `--jaxtyping-packages=diffbench,beartype.beartype` pass what is right by Python's rules or by the loader's.

    An int is a float (PEP 484). Self can be checked only where whole classes are decorated, and jaxtyping's import hook
    decorates each method. A part is of its folder's contract only once the loader has added the contract's defaults;
    the contract tests see to that.
    """
    import beartype

    checked = beartype.beartype
    anything = {Self: object}
    beartype.beartype = checked(
        conf=beartype.BeartypeConf(is_pep484_tower=True, hint_overrides=beartype.FrozenDict(anything))
    )
    for folder in CONTRACTS:
        anything[importlib.import_module(f"diffbench.{folder}._contract").CONTRACT] = object
    beartype.beartype = checked(
        conf=beartype.BeartypeConf(is_pep484_tower=True, hint_overrides=beartype.FrozenDict(anything))
    )


ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def code_block() -> Callable[..., str]:
    """A function (file, containing="") that returns the one Python block with a text in a document of the project."""

    def block(file: str, containing: str = "") -> str:
        shown = re.findall(r"```python\n(.*?)```", (ROOT / file).read_text(), re.DOTALL)
        found = [text for text in shown if containing in text]
        assert len(found) == 1, f"{file} shows {len(found)} Python blocks with '{containing}' instead of one"
        return found[0]

    return block


@pytest.fixture(scope="session")
def checked_records() -> Callable[[Path], Counter[str]]:
    """A function (results) that checks every JSON file below a folder by its schema, and returns how many of each kind."""
    import jsonschema

    from diffbench.benchmark.record_schema import metrics_schema, provenance_schema, run_schema, scores_schema

    kinds = {"run": run_schema, "record": provenance_schema, "scores": scores_schema, "metrics": metrics_schema}
    validators = {name: jsonschema.Draft202012Validator(schema()) for name, schema in kinds.items()}

    def checked(results: Path) -> Counter[str]:
        counted = Counter()
        for path in sorted(results.rglob("*.json")):
            content = json.loads(path.read_text())
            told = {
                "run": path.name.endswith(".run.json"),
                "record": "record_sha256" in content,
                "scores": "records" in content,
            }
            name = next((kind for kind, is_it in told.items() if is_it), "metrics")
            counted[name] += 1
            assert [error.message for error in validators[name].iter_errors(content)] == [], path
            if name != "metrics":
                held = content["records"][0] if name == "scores" else content
                held["seeed"] = 0
                assert not validators[name].is_valid(content), f"{path}: a misspelt key is not seen"
        return counted

    return checked


HEAVY = (
    *("torch", "pandas", "pydantic", "sklearn.datasets", "typer.rich_utils", "rich.markdown", "rich.traceback"),
    "diffbench.commands.check.run",
    "diffbench.commands.conform.run",
    "diffbench.commands.oracle.run",
)
"""Modules whose import is most of the time of a command."""

Run = Callable[..., subprocess.CompletedProcess[str]]


@contextmanager
def forked(said: Path, program: str, entry: str, *modules: str) -> Iterator[Run]:
    """A function (*arguments, cwd) that returns a finished program, run in a fork of one process for all of them.

    said: a folder for what they print. The other arguments are those of forks.py.
    """
    command = [sys.executable, "-P", ROOT / "tests/forks.py", program, entry, *modules]
    files = {name: said / name for name in ("stdout", "stderr")}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout

        def run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
            for file in files.values():
                file.write_text("")
            request = {"arguments": list(map(str, arguments)), "folder": str(cwd), "environment": dict(os.environ)}
            print(
                json.dumps(request | {name: str(file) for name, file in files.items()}), file=process.stdin, flush=True
            )
            code = int(process.stdout.readline())
            return subprocess.CompletedProcess(
                [program, *arguments], code, *(file.read_text() for file in files.values())
            )

        yield run
        process.stdin.close()


@pytest.fixture(scope="session")
def diffbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A function (*arguments, cwd) that returns a finished `diffbench ARGUMENTS`."""
    with forked(tmp_path_factory.mktemp("said"), "diffbench", "diffbench.cli:main", *HEAVY) as run:
        yield run


@pytest.fixture
def made_records(tmp_path: Path) -> Any:
    """An empty folder of results, to which made records can be added: a `Made` of made_records.py."""
    return runpy.run_path(str(ROOT / "tests/made_records.py"))["Made"](tmp_path / "results")


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A function (code, *arguments, cwd) that returns a finished `python -c CODE ARGUMENTS`, for code of the stages."""
    stages = ("diffbench.stages.train", "diffbench.stages.sample", "sklearn.datasets")
    with forked(tmp_path_factory.mktemp("said"), "python", "__main__:python", *stages) as run:
        yield run


FIDELITY_NAME = "weights-inception-2015-12-05-6726825d.pth"
PYTORCH_FID_NAME = "pt_inception-2015-12-05-6726825d.pth"


def random_state():
    """Return random weights under the published names, each drawn from its own generator.

    Plain initialisations make features of all images nearly parallel. Filters without a mean and logits centred over
    classes keep images apart: one dead feature, logits of deviation 1.75.
    """
    import torch
    import torchvision

    with torch.device("meta"):
        network = torchvision.models.inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False)
    state = {}
    for key, value in network.state_dict().items():
        draws = torch.Generator().manual_seed(zlib.crc32(key.encode()))
        normal = torch.randn(value.shape, generator=draws) if value.is_floating_point() else None
        if normal is None:
            state[key] = torch.zeros((), dtype=torch.int64)
        elif key.endswith(("running_var", "bn.weight")):
            state[key] = torch.empty(value.shape).uniform_(0.8, 1.25, generator=draws)
        elif key == "fc.weight":
            state[key] = 0.1 * (normal - normal.mean(dim=1, keepdim=True))
        elif value.ndim == 1:
            state[key] = normal if key == "fc.bias" else 0.2 * normal
        elif key == "Conv2d_1a_3x3.conv.weight":
            state[key] = normal * (3 / value[0].numel()) ** 0.5
        else:
            centred = normal - normal.mean(dim=(1, 2, 3), keepdim=True)
            state[key] = centred * (1 / (0.341 * value[0].numel())) ** 0.5
    return state


@pytest.fixture(scope="session")
def torch_home(tmp_path_factory) -> Path:
    """A folder as TORCH_HOME, with the random weights under the names by which peers look for theirs."""
    import torch

    folder = tmp_path_factory.mktemp("torch_home")
    checkpoints = folder / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    torch.save(random_state(), checkpoints / FIDELITY_NAME)
    (checkpoints / PYTORCH_FID_NAME).symlink_to(checkpoints / FIDELITY_NAME)
    return folder


@pytest.fixture(scope="session")
def inception_weights(torch_home: Path) -> Path:
    """The random weights in torch-fidelity's file."""
    return torch_home / "hub" / "checkpoints" / FIDELITY_NAME
