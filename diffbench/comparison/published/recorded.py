"""What records say of a score, in the words of published numbers: data, model, sampling and protocol.

A model is known by the recorded settings of its network, process and training, never by its name in a benchmark.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from diffbench.base.protocol_ids import fields_of
from diffbench.base.provenance_file import Recorded
from diffbench.base.records import Estimate
from diffbench.comparison.verdicts import over_seeds
from diffbench.jobs.dataset import DatasetPart
from diffbench.jobs.score import ProtocolPart
from diffbench.jobs.weights_facts import WeightsFacts
from diffbench.published.numbers import data_name

AS_PUBLISHED, AS_JPEG = "as published", "saved as JPEG"
WHOLE_SET, OWN_SETTINGS, NONE = "all", "the protocol's own", "none"
ALL_STEPS = "all"
"""The spacing of a chain that visits every timestep of the training chain."""

BOUND = "bound"
"""The sampler and the protocol of scores of a model itself."""

PRECISION = "precision"
"""The field of a protocol that is there if features or a bound were not computed in float32, as published ones were."""

NOT_PUBLISHED = "is_the_published_file"
"""The key in the source of imported weights that is false if the file is not the one that was released."""

LAST_BATCH = 256
"""DDPM's loader drops the last incomplete batch of a split; a reference without it is still the whole split."""

Facts = Mapping[str, str]


@dataclass(frozen=True)
class Ours:
    """A score of ours. records: those of its metric, one for each pair of seeds. facts: "" is not recorded."""

    metric: str
    records: tuple[Mapping[str, Any], ...]
    facts: Facts

    @property
    def estimate(self) -> Estimate:
        """The mean over the seeds, with its interval."""
        return over_seeds(self.records)


def of_data(dataset: DatasetPart, num_images: int, size: int, *, jpeg: bool) -> dict[str, str]:
    """Return the facts of the data set. num_images: of its training split. size: the height of the model's images."""
    options = dataset.options
    published = published_images(dataset)
    return {
        "dataset": data_name(dataset.name, options.get("category")),
        "size": str(size),
        "pixels": AS_JPEG if jpeg else AS_PUBLISHED,
        "images": WHOLE_SET if published.get("train") == num_images else f"{num_images} training images",
    }


def published_images(dataset: DatasetPart) -> Mapping[str, int]:
    """Return how many images each split of a data set has as it was published; nothing if that is not known."""
    options = dict(dataset.options)
    if "path" not in options and dataset.name != "digits":
        options["path"] = "."
    part = DatasetPart(dataset.name, options).configured()
    return getattr(part, "published_images", None) or {}


def of_weights(record: Recorded) -> dict[str, str]:
    """Return the facts of a model from the record of its weights. Raises: UserError if one is missing or wrong."""
    spec, facts = record["spec"], WeightsFacts.recorded(record)
    architecture, process = spec["network"], spec["diffusion"]
    training = spec.get("training") or {}
    return {
        "conditional": _text(architecture.get("class_conditional")),
        "parameterization": _text(process["parameterization"]),
        "objective": objective_of(spec.get("objective"), process["timesteps"]),
        "variance": _text(process["variance"]),
        "schedule": _text(process["schedule"]),
        "timesteps": _text(process["timesteps"]),
        "parameters": _text(facts.parameters),
        "dropout": _text(architecture.get("dropout")),
        "training_steps": _text(training.get("steps")),
        "batch_size": _text(training.get("batch_size")),
        "weights": _text(spec.get("weights", "ema")),
        "checkpoint": _released(facts),
    }


def objective_of(written: Mapping[str, Any] | None, timesteps: int) -> str:
    """Return the name of an objective, with what the papers' own do not have.

    The papers weight the bound's part of L_hybrid by 0.001, or by 1 / T if the released code did not rescale it.
    """
    if not written:
        return ""
    if written["name"] == "vlb" and written.get("loss_aware") is not None:
        return "vlb_loss_aware"
    weight = written.get("vlb_weight")
    usual = weight is None or any(abs(weight - own) < 1e-9 for own in (0.001, 1 / timesteps))
    return written["name"] if usual else f"{written['name']}, vlb_weight {weight:g}"


def _released(facts: WeightsFacts) -> str:
    """Return the name of the released file that weights were imported from; "" if they are not, or not its bytes."""
    source = facts.source or {}
    return "" if source.get(NOT_PUBLISHED) is False else _text(source.get("name"))


def of_samples(record: Recorded, steps: int, timesteps: str) -> dict[str, str]:
    """Return the facts of a sampling from the record of its samples."""
    spec = record["spec"]
    solver, guided = spec["sampler"], spec.get("guidance") or {}
    others = {key: value for key, value in solver.items() if key not in ("name", "eta")}
    unguided = not guided or guided.get("scale") == 0
    upsampled = " of an upsampler" if spec.get("low_res") else ""
    return {
        "sampler": solver["name"] + "".join(f", {key} {value}" for key, value in others.items()) + upsampled,
        "eta": _text(solver.get("eta")),
        "spacing": spacing_of(spec["spacings"][0], steps, timesteps),
        "steps": _text(steps or None),
        "nfe": _text(record["facts"].get("nfe")),
        "guidance": NONE if unguided else str(guided["name"]),
        "guidance_scale": "0" if unguided else _text(guided.get("scale")),
        "clip_x_0": _text(spec["sampling"]["clip_x_0"]),
    }


def spacing_of(spacing: str, steps: int, timesteps: str) -> str:
    """Return the name of a spacing without its number of steps: uniform, ddim, quadratic, sections, or all."""
    if not spacing:
        return "adaptive"
    if re.fullmatch(r"[\d,]+", spacing) and "," in spacing:
        return spacing
    name = re.sub(r"\d+", "", spacing, count=1).strip()
    if name in ("", "ddim", "quadratic") and str(steps) == timesteps:
        return ALL_STEPS
    return name or "uniform"


def of_bound(timesteps: str) -> dict[str, str]:
    """Return what stands for a sampling in scores of a model itself."""
    return {
        "sampler": BOUND,
        "spacing": ALL_STEPS,
        "steps": timesteps,
        "guidance": NONE,
        "guidance_scale": "0",
        "clip_x_0": "yes",
        "protocol": BOUND,
    }


def of_score(
    item: Mapping[str, Any], ruler: ProtocolPart | None, published: Mapping[str, int], reference: str
) -> dict[str, str]:
    """Return the facts of how a record was measured.

    ruler: the protocol, None for a bound. published: the images of each split. reference: the split of a bound.
    """
    if ruler is None:
        return {"reference": reference} | _precision(fields_of(item["protocol"]))
    identity = fields_of(item["protocol"])
    return _precision(identity) | {
        "protocol": ruler.name,
        "extractor": identity.get("extractor", ""),
        "settings": _settings(ruler, item["metric"]),
        "num_images": _text(item["num_images"]),
        "reference": _reference(identity.get("reference", ""), published),
        "reference_file": "" if ruler.options["reference"] in ("train", "test") else ruler.options["reference"],
    }


def _precision(identity: Mapping[str, str]) -> dict[str, str]:
    """Return the precision in which features or a bound were computed, if it is not that of the published numbers."""
    return {PRECISION: identity[PRECISION]} if PRECISION in identity else {}


def _settings(ruler: ProtocolPart, metric: str) -> str:
    """Return those settings of a metric that are not the protocol's own."""
    own = ruler.configured().metric_options(metric)
    given = ruler.options.get("settings", {}).get(metric, {})
    other = {key: value for key, value in given.items() if key not in own or own[key] != value}
    return ", ".join(f"{key} {value}" for key, value in other.items()) or OWN_SETTINGS


def _reference(written: str, published: Mapping[str, int]) -> str:
    """Return the split of a reference, with its number of images if it is not the whole split."""
    split, _, rest = written.partition(":")
    count = rest.partition("@")[0]
    if not count.isdigit() or split not in published:
        return split
    whole = published[split] - LAST_BATCH < int(count) <= published[split]
    return split if whole else f"{split}, {count} images"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
