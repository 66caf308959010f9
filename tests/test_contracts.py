"""Each folder's contract declares all that is read of its parts, and the loader gives a part what it leaves out."""

import ast
import dataclasses
from functools import cache
from pathlib import Path

import pytest
import torch

import diffbench
from diffbench.base import plugins
from diffbench.benchmark import entries
from diffbench.commands.plan.networks import Counted
from diffbench.jobs.job import Part
from diffbench.jobs.prepare import DatasetPart

PACKAGE = Path(diffbench.__file__).parent

READERS = ("stages", "benchmark", "commands", "comparison", "training", "cli.py")
"""What is above the parts, and training, which is given them."""

# A job holds a part by its name and settings, under the name that the part has.
IN_JOBS = {*Part.__dataclass_fields__, *dir(DatasetPart)}

# By folder: the variables that hold a part, and what is read of other things that have the same name there.
HELD = {
    "datasets": ({"dataset"}, set()),
    "samplers": ({"sampler"}, {"step", "spacing", *entries.SamplerEntry.__dataclass_fields__}),
    "networks": ({"network"}, {*dir(torch.nn.Module), *Counted.__dataclass_fields__}),
    "extractors": ({"extractor"}, set()),
    "metrics": ({"metric", "lower"}, set()),
    "guidance": ({"guidance"}, {*entries.Guidance.__dataclass_fields__}),
    "objectives": ({"objective"}, set()),
    "protocols": ({"protocol"}, set()),
    # Files of tables and frames are called so, too.
    "tables": ({"table"}, {"loc", "mean", "path", "record", "read_bytes", "is_file", "is_symlink", "parent", "suffix"}),
}


def read_of(node: ast.AST) -> tuple[str | None, object]:
    """The last name before the dot and the attribute's, also of getattr(part, "name") and of type(part).name."""
    match node:
        case ast.Attribute(value=owner, attr=name):
            pass
        case ast.Call(func=ast.Name(id="getattr" | "hasattr"), args=[owner, ast.Constant(value=name), *_]):
            pass
        case _:
            return None, None
    if isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "type":
        owner = owner.args[0]
    return (owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", None)), name


@cache
def reads() -> dict[str, dict[str, set[str]]]:
    """By variable: each attribute that is read of it, and the files that do."""
    found: dict[str, dict[str, set[str]]] = {}
    for reader in READERS:
        for file in (PACKAGE / reader).rglob("*.py") if "." not in reader else {PACKAGE / reader}:
            for node in ast.walk(ast.parse(file.read_text())) if file.is_file() else ():
                variable, name = read_of(node)
                if variable is not None and not str(name).startswith("__"):
                    found.setdefault(variable, {}).setdefault(str(name), set()).add(str(file.relative_to(PACKAGE)))
    return found


def declared(folder: str) -> set[str]:
    contract = plugins.contract_of(folder)
    fields = dataclasses.fields(contract) if dataclasses.is_dataclass(contract) else ()
    return {*vars(contract), *getattr(contract, "__annotations__", {}), *(field.name for field in fields)}


@pytest.mark.parametrize("folder", HELD)
def test_every_attribute_that_is_read_is_declared(folder):
    variables, others = HELD[folder]
    read = {name: places for variable in variables for name, places in reads().get(variable, {}).items()}
    assert read.keys() & declared(folder), f"no part is held by {variables}: name other variables"
    assert {name: places for name, places in read.items() if name not in declared(folder) | others | IN_JOBS} == {}


def test_what_is_read_of_a_part_of_any_folder_is_declared_in_one():
    known = {"described", *dir(str)}.union(*map(declared, HELD))
    assert {name: places for name, places in reads()["part"].items() if name not in known} == {}


@pytest.mark.parametrize("folder", HELD)
def test_the_loader_gives_every_part_the_contracts_defaults(folder):
    defaults = {name for name in vars(plugins.contract_of(folder)) if not name.startswith("_")}
    for name in plugins.names(folder):
        part = plugins.load(folder, name)
        assert not defaults - set(dir(part)), name
        assert not getattr(part, "__abstractmethods__", None), name


@pytest.mark.parametrize("folder", HELD)
def test_every_part_has_what_its_contract_demands(folder):
    contract = plugins.contract_of(folder)
    demanded = {*getattr(contract, "__annotations__", {}), *getattr(contract, "__abstractmethods__", ())}
    for name in plugins.names(folder):
        part = plugins.load(folder, name)
        fields = {field.name for field in dataclasses.fields(part)}
        assert not demanded - fields - set(dir(part)), name


def test_a_strangers_part_keeps_what_it_declares_and_gets_the_rest():
    @dataclasses.dataclass(frozen=True)
    class Own:
        order: int = 2
        path: str = "here"

        adaptive = True

    part = plugins.completed("samplers", Own)
    assert part is Own and part(order=3) == Own(3)
    assert (part().order, part().adaptive) == (2, True)
    assert (part().leaves_grid, part().needs_error, dict(part().no_options)) == (False, False, {})
    # What has no default in the contract is for the part to declare.
    assert not hasattr(part, "stochastic")
    assert plugins.completed("extractors", Own)().path == "here" and Own().channels() is None
    assert not hasattr(Own, "network")
    assert plugins.completed("figures", Own) is Own
