"""The recipe of the image, which no test builds: what it copies, installs and starts, read from its text."""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def instructions(text: str) -> list[tuple[str, str]]:
    """Return the (name, arguments) of each instruction of a recipe."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def recipe() -> list[tuple[str, str]]:
    """The instructions of the Containerfile."""
    return instructions((ROOT / "Containerfile").read_text())


def arguments(recipe: list[tuple[str, str]], name: str) -> list[str]:
    """Return the arguments of all instructions with a name."""
    return [of for instruction, of in recipe if instruction == name]


def copied(recipe: list[tuple[str, str]]) -> set[str]:
    """Return the files and folders that a recipe copies."""
    return {source for of in arguments(recipe, "COPY") for source in of.split()[:-1]}


def is_sent(path: str, rules: list[str]) -> bool:
    """Return whether a builder gets a path: the last rule that matches it decides."""
    matching = [rule for rule in rules if fnmatch(path, rule.removeprefix("!"))]
    return not matching or matching[-1].startswith("!")


def test_every_source_exists_and_is_sent_to_the_builder(recipe):
    rules = [line for line in (ROOT / ".containerignore").read_text().splitlines() if line and not line.startswith("#")]
    for source in copied(recipe):
        assert (ROOT / source).exists(), source
        assert is_sent(source, rules), f"{source} is left out by .containerignore"
    for kept_back in ("results", ".venv", ".git", ".dvc", "data"):
        assert not is_sent(kept_back, rules), kept_back


def test_the_image_has_what_a_run_of_the_workflow_reads(recipe):
    assert {"Snakefile", "workflow", "profiles", "diffbench", "pyproject.toml", "requirements.lock"} <= copied(recipe)
    # The build of the project reads it.
    assert PROJECT["project"]["readme"] in copied(recipe)


def test_the_lock_is_what_is_installed_with_its_hashes(recipe):
    installs = [of for of in arguments(recipe, "RUN") if "pip install" in of]
    packages, project = installs
    assert "--require-hashes --requirement requirements.lock" in packages
    assert "--no-deps" in project, "no version other than the lock's"
    names = [name for name, _ in recipe]
    order = [of for name, of in recipe if name in ("COPY", "RUN")]
    assert order.index("requirements.lock ./") < order.index(packages) < order.index("diffbench ./diffbench")
    assert names[0] == "FROM"


def test_python_is_one_that_the_project_supports(recipe):
    (base,) = arguments(recipe, "FROM")
    (version,) = re.findall(r"^python:(\d+\.\d+)-slim$", base)
    assert version in SpecifierSet(PROJECT["project"]["requires-python"])


def test_a_user_without_rights_starts_the_command(recipe):
    (user,) = arguments(recipe, "USER")
    assert user not in ("root", "0") and any("useradd" in of and user in of for of in arguments(recipe, "RUN"))
    (entry,) = arguments(recipe, "ENTRYPOINT")
    assert entry.strip('["]') in PROJECT["project"]["scripts"]
    assert [name for name, _ in recipe].index("USER") > max(i for i, (name, _) in enumerate(recipe) if name == "RUN")


@pytest.mark.parametrize("extra", ["s3", "kubernetes"])
def test_the_lock_has_the_plug_ins_that_a_job_in_a_pod_needs(extra):
    lock = (ROOT / "requirements.lock").read_text()
    for requirement in PROJECT["project"]["optional-dependencies"][extra]:
        name = re.split(r"[>=\[]", requirement)[0]
        assert re.search(rf"^{name}==\S+", lock, re.MULTILINE), name
