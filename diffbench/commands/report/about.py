"""What was run, and on what: data, models, samplers, seeds and protocols, as the records of files say."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import pandas

from diffbench.base.provenance_file import RESULTS
from diffbench.benchmark.paths import subject_of
from diffbench.commands.report.records import SCORES, Tree
from diffbench.commands.report.tables import Read, shown
from diffbench.commands.reporting.words import model_in_words
from diffbench.page.contents import Fact, Table
from diffbench.stages._digits import shown as number_as_text

SAMPLES = f"{RESULTS}/samples/"

SHOWN = ("model", "what it is", "parameters", "schedule", "variance", "objective", "training steps")
"""Columns of the table of models that are always shown."""


def facts_of(tree: Tree, places: Sequence[str]) -> list[Fact]:
    """Return what was run and on what. places: of all files that tables and figures were made from."""
    specs = [tree.recorded(place)["spec"] for place in places if place.startswith(SAMPLES)]  # type: ignore[index]
    found = [_data(tree, places)]
    if specs:
        found += [
            Fact("Samplers", tuple(_distinct(_part(spec.get("sampler")) for spec in specs))),
            Fact("Steps", _numbers(_steps(place) for place in places if place.startswith(SAMPLES))),
            Fact("Images in a sample set", _numbers(spec.get("num_images") for spec in specs)),
        ]
        scales = [guided.get("scale") for spec in specs if (guided := spec.get("guidance"))]
        found += [Fact("Guidance scales", _numbers(scales))] if scales else []
    found.append(Fact("Seeds", _seeds(places)))
    found.append(Fact("Versions", _versions(tree, places)))
    return found


def protocols_of(tree: Tree, places: Sequence[str]) -> list[tuple[str, str]]:
    """Return the protocols of the scores: a name that tells them apart, and the identifier with all fields."""
    records = (item for place in places if place.startswith(SCORES) for item in tree.scores(place))
    # The gap between two bounds is measured under both of their protocols.
    texts = dict.fromkeys(item["protocol"] for item in records if item["protocol"] and " - " not in item["protocol"])
    return [(_protocol_name(text), text) for text in texts]


def models_of(tree: Tree, places: Sequence[str], order: Sequence[str] = ()) -> Read:
    """Return the table of weights and of the models that are sampled with them in another way.

    order: places of scores; models come as these name them, and others after them.
    """
    lines: dict[str, dict[str, Any]] = {}
    files: dict[str, list[str]] = {}
    for place in places:
        if place.endswith("/weights.safetensors"):
            name = subject_of(place)
            recorded = tree.recorded(place) or {}
            lines.setdefault(name, {"model": name, **_weights(place, recorded)})
            files.setdefault(name, []).append(place)
    for place in places:
        # Guidance at several scales is one entry: adm_g, adm_g@0 and adm_g@4.
        name = PurePath(place).parts[2].partition("@")[0] if place.startswith(SAMPLES) else ""
        if name and name not in lines:
            lines[name] = {"model": name, "what it is": _variant(tree, place)}
            files[name] = list(tree.sources(place).values())
    title = "Models"
    if not lines:
        return Read(Table("models", title, f"{RESULTS}/models", missing="No records of weights are here."))
    seen = list(dict.fromkeys(subject_of(place).partition("@")[0] for place in order))
    lines = dict(sorted(lines.items(), key=lambda item: seen.index(item[0]) if item[0] in seen else len(seen)))
    keys = dict.fromkeys(key for line in lines.values() for key in line)
    columns = [*(key for key in SHOWN if key in keys), *(key for key in keys if key not in SHOWN)]
    frame = pandas.DataFrame(list(lines.values()), columns=columns)
    frame = frame.convert_dtypes(convert_string=False, convert_floating=False)
    table = shown(frame, "models", place=f"{RESULTS}/models", title=title, name="models", always=SHOWN)
    return Read(
        replace(table, caption="As the records of their weights say."), tuple(tuple(files[name]) for name in lines)
    )


def _weights(place: str, recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cells of the weights of a model or classifier."""
    spec, facts = recorded.get("spec", {}), recorded.get("facts", {})
    described, training, diffusion = (spec.get(key) or {} for key in ("network", "training", "diffusion"))
    is_classifier = "/classifiers/" in place
    what = "classifier of noisy images" if is_classifier else str(described.get("name", "network"))
    if not is_classifier:
        what += ", class-conditional" if described.get("class_conditional") else ""
    cells: dict[str, Any] = {
        "what it is": what,
        "parameters": facts.get("parameters"),
        **{key: diffusion.get(key) for key in ("timesteps", "schedule", "parameterization")},
        "variance": diffusion.get("variance") if isinstance(diffusion.get("variance"), str) else None,
        "objective": (spec.get("objective") or {}).get("name"),
        "training steps": training.get("steps"),
        "batch size": training.get("batch_size"),
        "learning rate": training.get("learning_rate"),
    }
    more = {f"network: {key}": _plain(value) for key, value in described.items() if key != "name"}
    more |= {f"training: {key}": _plain(value) for key, value in training.items()}
    return cells | more


def _variant(tree: Tree, place: str) -> str:
    """Return what a model is that has no weights of its own: whose it uses, its guidance, and what it enlarges."""
    recorded, sources = tree.recorded(place) or {}, tree.sources(place)
    words = subject_of(sources["weights"]) if "weights" in sources else "weights by others"
    guided = recorded.get("spec", {}).get("guidance")
    if guided:
        by = f" by {subject_of(sources['classifier'])}" if "classifier" in sources else ""
        kind = str(guided.get("name", "")).replace("_", " ")
        words += f", with {kind} guidance{by}"
    if "low_res" in sources:
        below = sources["low_res"]
        given = (
            f"samples of {model_in_words(PurePath(below).parts[2])}"
            if below.startswith(SAMPLES)
            else "real images of low resolution"
        )
        words += f", given {given}"
    return words


def _data(tree: Tree, places: Sequence[str]) -> Fact:
    splits = {}
    for place in places:
        recorded = tree.recorded(place)
        if recorded is not None and "split" in recorded["spec"] and "dataset" in recorded["spec"]:
            splits[recorded["spec"]["split"]] = recorded
    if not splits:
        return Fact("Data", "not known, since no record of prepared data is here")
    first = splits.get("train") or next(iter(splits.values()))
    facts = first["facts"]
    height, width, channels = facts.get("shape", (0, 0, 0))
    counts = [
        f"{found['facts'].get('num_images', 0):,} {split}" for split, found in sorted(splits.items(), reverse=True)
    ]
    words = [_part(first["spec"]["dataset"]), f"{' and '.join(counts)} images"]
    words += [f"{width} by {height} pixels, {'grey' if channels == 1 else 'colour'}, {facts.get('levels')} levels"]
    if classes := facts.get("num_classes"):
        words.append(f"{classes:,} {'class' if classes == 1 else 'classes'}")
    return Fact("Data", tuple(words))


def _part(chosen: Any) -> str:
    """Return a part with those of its options that are set: "ddim (eta 0)"."""
    if not isinstance(chosen, Mapping):
        return str(chosen)
    options = [f"{key} {_plain(value)}" for key, value in chosen.items() if key != "name" and value not in (None, "")]
    return f"{chosen.get('name')} ({', '.join(options)})" if options else str(chosen.get("name"))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return ", ".join(str(_plain(one)) for one in value) or "none"
    if isinstance(value, Mapping):
        return _part(value) if "name" in value else ", ".join(f"{key} {_plain(one)}" for key, one in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number_as_text(value) if isinstance(value, float) and value.is_integer() else value


def _steps(place: str) -> int | str:
    stem = PurePath(place).stem
    return int(stem) if stem.isdecimal() and stem != "0" else "adaptive"


def _numbers(values: Iterable[Any]) -> str:
    found = sorted(set(values), key=lambda value: (isinstance(value, str), value))
    return ", ".join(value if isinstance(value, str) else number_as_text(value) for value in found)


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _seeds(places: Sequence[str]) -> tuple[str, ...]:
    parts = {part for place in places for part in PurePath(place).parts}
    return tuple(
        f"{words} {', '.join(map(str, sorted(numbers)))}"
        for start, words in (("train", "training:"), ("sample", "sampling:"))
        if (numbers := {int(part.removeprefix(start)) for part in parts if part.removeprefix(start).isdecimal()})
    ) or ("not known",)


def _versions(tree: Tree, places: Sequence[str]) -> str:
    wanted = ("python", "torch", "numpy", "scipy")
    found: dict[str, set[str]] = {}
    for place in places:
        for name, version in (tree.recorded(place) or {}).get("versions", {}).items():
            found.setdefault(name, set()).add(version)
    return ", ".join(f"{name} {' and '.join(sorted(found[name]))}" for name in wanted if name in found) or "not known"


def _protocol_name(text: str) -> str:
    fields = {part.partition("=")[0]: part.partition("=")[2] for part in text.split(";")}
    words = [fields.get("protocol") or text.partition(";")[0]]
    words += [f"on {split}" for split in (fields.get("split"),) if split]
    words += [f"{key} {fields[key]}" for key in ("extractor", "n", "reference") if key in fields]
    return ", ".join(words)
