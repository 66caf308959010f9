"""The keys of a benchmark's file as rows for a reference: section, key, type, default and description.

They have the same sources as the schema: the dataclasses of written.py and of the parts, and their docstrings.
"""

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from diffbench.base import plugins
from diffbench.base.field_texts import field_texts, summary
from diffbench.base.json_schema import is_required, plain_default
from diffbench.base.numerics import Numerics
from diffbench.benchmark.entries import Bound, Execution, Run
from diffbench.benchmark.numerics import StageNumerics
from diffbench.benchmark.part_schema import FOLDERS
from diffbench.benchmark.runs import NOT_EMPTY
from diffbench.benchmark.written import (
    PROCESS_KEYS,
    BenchmarkFile,
    CheckpointFile,
    ClassifierEntry,
    GridEntry,
    GuidanceKeys,
    ModelEntry,
    SamplerKeys,
)
from diffbench.benchmark.yaml_file import write_yaml
from diffbench.diffusion.denoiser import Diffusion
from diffbench.diffusion.loss_aware import LossAware
from diffbench.jobs.sample import LowRes, Sampling
from diffbench.training.settings import Training, Validation


@dataclass(frozen=True)
class Key:
    """A key that a benchmark's file may have.

    section: the place in the file, such as "models.NAME" or "networks: unet". key: its name. type: in words. default:
    as it is written in YAML; None if the key is required, and "" if nothing is written for it. description: one or more
    sentences.
    """

    section: str
    key: str
    type: str
    default: str | None
    description: str


@dataclass(frozen=True)
class Section:
    """The keys of one place in a benchmark's file. summary: a sentence on what it is."""

    title: str
    summary: str
    keys: tuple[Key, ...]


TYPES: Mapping[tuple[type, str], tuple[str, str | None]] = {
    (BenchmarkFile, "dataset"): ("a data set: its name, or a map with `name` and its options", None),
    (BenchmarkFile, "models"): ("a map of models by name", None),
    (BenchmarkFile, "samplers"): ("a map of samplers by name", None),
    (BenchmarkFile, "protocols"): ("a map of protocols by name", None),
    (BenchmarkFile, "runs"): ("a list of runs", None),
    (BenchmarkFile, "extractors"): ("a map of extractors by name", ""),
    (BenchmarkFile, "grids"): ("a map of grids by name", ""),
    (BenchmarkFile, "classifiers"): ("a map of classifiers by name", ""),
    **{(BenchmarkFile, key): ("map", "") for key in ("sampling", "bound", "validation", "numerics", "execution")},
    (ModelEntry, "of"): ("text", ""),
    (ModelEntry, "training"): ("map", ""),
    (ModelEntry, "network"): ("a network: its name, or a map with `name` and its settings", "unet"),
    (ModelEntry, "checkpoint"): ("a path, or a map with `path` and `key`", ""),
    (ModelEntry, "objective"): ("an objective: its name, or a map with `name` and its options", "simple"),
    (ModelEntry, "guidance"): ("a guidance: its name, or a map with `name`, `classifier` and its options", ""),
    (ModelEntry, "low_res"): ("real, or a map with `model`, `sampler` and `steps`", ""),
    (ClassifierEntry, "network"): ("a classifier: its name, or a map with `name` and its settings", "noisy_classifier"),
    (ClassifierEntry, "training"): ("map", ""),
    (ClassifierEntry, "checkpoint"): ("a path, or a map with `path` and `key`", ""),
    **{(StageNumerics, field.name): ("map", "") for field in dataclasses.fields(StageNumerics)},
    (SamplerKeys, "config"): ("a path", ""),
}
"""The types, in words, and the defaults of keys whose annotation does not say them."""

SECTIONS: Mapping[str, tuple[type, ...]] = {
    "the file": (BenchmarkFile,),
    "models.NAME": (ModelEntry, Diffusion),
    "models.NAME.training": (Training,),
    "models.NAME.checkpoint": (CheckpointFile,),
    "models.NAME.low_res": (LowRes,),
    "classifiers.NAME": (ClassifierEntry,),
    "grids.NAME": (GridEntry,),
    "samplers.NAME": (SamplerKeys,),
    "models.NAME.guidance": (GuidanceKeys,),
    "runs[]": (Run,),
    "sampling": (Sampling,),
    "bound": (Bound,),
    "validation": (Validation,),
    "numerics": (StageNumerics,),
    "numerics.STAGE": (Numerics,),
    "execution": (Execution,),
    "objectives: loss_aware": (LossAware,),
}
"""The sections that are no parts, with the classes whose fields are their keys."""


def described() -> Iterator[Key]:
    """Yield every key that a benchmark's file may have, section by section; the parts of the folders come last."""
    for section in sections():
        yield from section.keys


def sections() -> Iterator[Section]:
    """Yield the sections of a benchmark's file, and then one for each part, such as "networks: unet"."""
    for title, kinds in SECTIONS.items():
        keys = [key for kind in kinds for key in _keys(title, kind)]
        if title == "classifiers.NAME":
            keys += [key for key in _keys(title, Diffusion) if key.key in PROCESS_KEYS]
        yield Section(title, summary(kinds[0]), tuple(keys))
    for folder in FOLDERS:
        for name in plugins.names(folder):
            part, title = plugins.load(folder, name), f"{folder}: {name}"
            yield Section(title, summary(part), tuple(_keys(title, part)))


def _keys(title: str, kind: type) -> Iterator[Key]:
    hints, texts = typing.get_type_hints(kind), field_texts(kind)
    for field in dataclasses.fields(kind):
        if field.init:
            words, default = TYPES.get((kind, field.name), (spoken(hints[field.name]), _default(kind, field)))
            yield Key(title, field.name, words, default, texts.get(field.name, ""))


def _default(kind: type, field: "dataclasses.Field[Any]") -> str | None:
    if is_required(field) or (kind is Run and field.name in NOT_EMPTY and plain_default(field) == []):
        return None
    return "" if dataclasses.is_dataclass(field.default_factory) else _flow(plain_default(field))


def _flow(value: Any) -> str:
    """Return a value as it is written in YAML in one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_flow(item)}' for key, item in value.items())}}}"
    return write_yaml(value).removesuffix("...\n").strip()


def spoken(hint: Any) -> str:
    """Return the type of a key in words, such as "a list of whole numbers"."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    simple = {int: "whole number", float: "number", bool: "true or false", str: "text", Any: "anything"}
    if hint in simple:
        return simple[hint]
    if hint == plugins.DottedPath:
        return "dotted path"
    if hint is type(None):
        return "null"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(spoken, arguments))
    if origin is typing.Literal:
        return ", ".join(map(str, arguments))
    if origin is tuple:
        inner = spoken(arguments[0])
        plural = f"{inner}s" if inner in ("whole number", "number", "text") else inner
        return f"list of {plural}" if len(set(arguments) - {Ellipsis}) == 1 else f"list of {len(arguments)}"
    return "map"
