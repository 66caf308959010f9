"""Readers and checks of the keys for guidance: classifiers, models with another's weights (`of`), and labels."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from diffbench.base.classes import LABEL_RULES, LabelRule
from diffbench.base.errors import UserError
from diffbench.base.plugins import chosen, configure, load, nearest, stated
from diffbench.base.sizes import size_of, sized
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.checkpoints import adopted
from diffbench.benchmark.entries import Guidance, Model, NoisyClassifier, Run
from diffbench.benchmark.written import CLASSIFIER_KEYS, PROCESS_KEYS
from diffbench.diffusion.denoiser import Diffusion
from diffbench.jobs.model import Weights
from diffbench.training.settings import Training


def classifier_of(key: str, entry: Any) -> NoisyClassifier:
    """Return a classifier of noisy images from its entry. Raises: UserError."""
    where = f"classifiers.{key}"
    if not isinstance(entry, Mapping):
        raise UserError(f"{where}: must be a map")
    for name in entry:
        if name not in CLASSIFIER_KEYS:
            raise UserError(f"{where}: unknown key '{name}'; {nearest(name, CLASSIFIER_KEYS)}")
    entry, checkpoint = adopted(entry, where, PROCESS_KEYS)
    if checkpoint is not None and checkpoint.facts is None:
        raise UserError(f"{where}.checkpoint: {checkpoint.path}: no record beside it; make one with `diffbench import`")
    network_name, network = chosen("networks", entry.get("network"), f"{where}.network", default="noisy_classifier")
    if not network.classifies:
        raise UserError(f"{where}.network: {network_name} is no classifier; use noisy_classifier")
    process = {name: entry[name] for name in PROCESS_KEYS if name in entry}
    diffusion = configure(Diffusion, process, where)
    training = None
    if checkpoint is None or "training" in entry:
        training = configure(Training, stated(entry.get("training")), f"{where}.training")
    if training is not None and training.label_dropout:
        raise UserError(f"{where}.training.label_dropout: a classifier is trained with every label; leave it out")
    # Published classifiers have the last weights, since no average of them was kept.
    weights = weights_of(entry, where, default="raw")
    size = size_of(entry, "size", where)
    return NoisyClassifier(key, network, network_name, diffusion, training, weights, size, checkpoint)


def weights_of(entry: Mapping[str, Any], where: str, default: Weights) -> Weights:
    """Return which weights are used, ema or raw. Raises: UserError."""
    weights = entry.get("weights", default)
    if weights not in ("ema", "raw"):
        raise UserError(f"{where}.weights: {weights!r} is not allowed; allowed: ema, raw")
    return weights


def sampled_otherwise(
    key: str,
    entry: Mapping[str, Any],
    entries: Mapping[str, Any],
    allowed: Sequence[str],
    resolve: Callable[[str], dict[str, Any]],
) -> dict[str, Any]:
    """Return the entry of a model that has another model's weights (`of`) and samples them in another way.

    Raises: UserError if that model does not exist or has no weights of its own, and for keys that concern training.
    """
    where, of = f"models.{key}", entry["of"]
    only_sampled(where, [name for name in entry if name != "of"], allowed)
    if not isinstance(of, str) or of not in entries:
        raise UserError(f"{where}.of: no model '{of}'; {nearest(of, entries)}")
    found = resolve(of)
    if "of" in found:
        raise UserError(f"{where}.of: {of} has no weights of its own; name the model it is of, {found['of']}")
    return {**found, **entry}


def only_sampled(where: str, keys: Sequence[str], allowed: Sequence[str]) -> None:
    """Raise UserError for keys that concern training, in the entry of a model that has another model's weights."""
    for name in keys:
        if name not in allowed:
            raise UserError(f"{where}.{name}: has no place beside 'of', which trains nothing; {nearest(name, allowed)}")


def guidance_of(entry: Mapping[str, Any], where: str) -> Guidance | None:
    """Return a model's guidance: a part, and the classifier that it names. Raises: UserError."""
    given = entry.get("guidance")
    if given is None:
        return None
    where = f"{where}.guidance"
    options = dict(given) if isinstance(given, Mapping) else {"name": given}
    classifier = options.pop("classifier", None)
    if classifier is not None and not isinstance(classifier, str):
        raise UserError(f"{where}.classifier: {classifier!r} is not the name of an entry of 'classifiers'")
    name, part = chosen("guidance", options, where)
    return Guidance(name, part, classifier)


def labels_of(entry: Mapping[str, Any], network: Any, guidance: Guidance | None, where: str) -> LabelRule | None:
    """Return how the labels of samples are chosen; None if a model takes none. Raises: UserError."""
    labels = entry.get("labels")
    if labels is not None and labels not in LABEL_RULES:
        raise UserError(f"{where}.labels: {labels!r} is not allowed; allowed: {', '.join(LABEL_RULES)}")
    takes = network.class_conditional or (guidance is not None and guidance.needs_classifier)
    if takes:
        return labels or "iid"
    if labels is not None:
        raise UserError(f"{where}.labels: an unconditional model takes none; set network.class_conditional or guide it")
    return None


def check_guidance(benchmark: Benchmark) -> None:
    """Raise UserError if guidance lacks what it needs, or label dropout lacks a null label in the network."""
    for model in benchmark.models.values():
        where = f"models.{model.name}"
        null_label = model.network.null_label
        if model.training is not None and bool(model.training.label_dropout) != null_label:
            raise UserError(
                f"{where}: training.label_dropout and network.null_label go together; "
                f"label_dropout is {model.training.label_dropout:g} and null_label {str(null_label).lower()}"
            )
        facts = None if model.checkpoint is None else model.checkpoint.facts
        recorded = model.checkpoint is None or (facts is not None and facts.class_counts)
        if model.labels == "as_in_data" and not recorded:
            raise UserError(
                f"{where}.labels: as_in_data needs the classes of the images that were trained on, and nothing of "
                f"{model.checkpoint.path if model.checkpoint else model.of} tells; allowed here: iid, balanced"
            )
        if model.guidance is not None:
            _check_guided(benchmark, model, model.guidance, f"{where}.guidance")


def _check_guided(benchmark: Benchmark, model: Model, guidance: Guidance, where: str) -> None:
    if not guidance.needs_classifier:
        if guidance.classifier is not None:
            raise UserError(f"{where}.classifier: guidance {guidance.name} uses none; leave it out")
        if not model.network.null_label:
            raise UserError(
                f"{where}: {guidance.name} needs predictions without a label too: "
                "train with network.null_label true and training.label_dropout"
            )
        return
    known = benchmark.classifiers
    if guidance.classifier is None:
        raise UserError(
            f"{where}: guidance without a classifier; add 'classifier', one of: {', '.join(known) or 'none'}"
        )
    if guidance.classifier not in known:
        raise UserError(
            f"{where}.classifier: no classifier '{guidance.classifier}'; {nearest(guidance.classifier, known)}"
        )
    classifier = known[guidance.classifier]
    if classifier.size != model.size:
        raise UserError(
            f"{where}.classifier: {classifier.name} knows images of {sized(classifier.size)}, and the model makes "
            f"those of {sized(model.size)}; train a classifier of that size"
        )
    for name in ("schedule", "timesteps"):
        own, other = getattr(model.diffusion, name), getattr(classifier.diffusion, name)
        if own != other:
            raise UserError(
                f"{where}.classifier: {classifier.name} knows the noise of {name} {other}, and the model's is {own}; "
                f"train a classifier with {name} {own}"
            )


def check_scales(benchmark: Benchmark, run: Run, where: str) -> None:
    """Raise UserError if guidance scales have no effect, or the guidance does not accept one of them."""
    guided = [benchmark.models[name] for name in run.models if benchmark.models[name].guidance is not None]
    if run.guidance_scales and not guided:
        raise UserError(f"{where}.guidance_scales: no model of the run is guided; leave it out, or give one 'guidance'")
    for model in guided:
        for scale in run.guidance_scales:
            try:
                model.scaled(scale)
            except (TypeError, ValueError) as error:
                raise UserError(f"{where}.guidance_scales: {model.name}: {error}") from None


def check_labels(benchmark: Benchmark, run: Run, where: str) -> None:
    """Raise UserError if a metric needs labels and a model's samples have none."""
    for protocol in run.protocols:
        for metric in benchmark.protocols[protocol][1].metrics:
            if not load("metrics", metric).needs_labels:
                continue
            for name in run.models:
                if not benchmark.labelled(name):
                    raise UserError(
                        f"{where}.protocols: {protocol} measures {metric}, and samples of {name} have no labels; "
                        "give that model a run under another protocol"
                    )
