"""train: a prepared data set in, the weights of a model or of a noisy classifier out (averaged and raw)."""

import csv
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from diffbench.base.arrays import member_names, read_member
from diffbench.base.command import add_device, run_stage, stage_parser
from diffbench.base.devices import chosen_device, device_facts, make_deterministic
from diffbench.base.digests import digest
from diffbench.base.errors import UserError
from diffbench.base.inputs import Inputs, checked, upstream_of
from diffbench.base.locks import exclusive
from diffbench.base.plugins import configure
from diffbench.base.provenance import versions_of, write_provenance
from diffbench.base.run_record import run_record
from diffbench.base.seeds import seed_torch
from diffbench.base.writing import replacing
from diffbench.stages._cuts import cutting
from diffbench.stages._model import build_classifier, build_network, diffusion_of, part_of
from diffbench.training.checkpoints import Checkpoints
from diffbench.training.data import TrainingData
from diffbench.training.loop import Trainer
from diffbench.training.settings import Training
from diffbench.training.tasks import Classification, Denoising, Task


def train(
    spec: dict[str, Any],
    data: Path,
    out: Path,
    log_csv: Path,
    *,
    held_out: Path | None = None,
    pictures: Path | None = None,
    device: str = "auto",
    cache: Path = Path(".cache"),
    checkpoint_every: int = 500,
    record: dict[str, Any] | None = None,
) -> None:
    """Write weights (`ema.<name>` and `raw.<name>`, safetensors), a CSV log and their provenance.

    held_out: prepared images, of which a classifier's log then has the accuracy too. pictures: where the data set lies
    that the spec names for random crops. Resumes from `cache` where a run of the same spec and data was cut off.
    Raises: UserError.
    """
    inputs = checked({"data": data, "held_out": held_out}, upstream=upstream_of(spec))
    make_deterministic(spec["threads"])
    chosen = chosen_device(device)
    known = inputs.records["data"]["facts"]
    facts = {key: known[key] for key in ("shape", "levels", "num_classes", "flip")}
    # Of an upsampler's input, and of a smaller copy of a data set: its samples are enlarged before they are scored.
    facts |= {"low_size": spec["low_size"]} if "low_size" in spec else {}
    facts |= {"full_size": known["full_size"]} if "full_size" in known else {}
    training_data = _data_of(spec, data, facts["flip"])
    if held_out is not None:
        _require_held_out(spec, inputs, facts)
        training_data = replace(training_data, held_out=_data_of(spec, held_out, flip=False))
    # The facts too: levels and flip come from the data set's entry, and change no byte of its images.
    seen = {name: inputs.sha256.get(name) for name in ("data", "held_out")} | {"facts": facts}
    # Half of a training by one version of torch and half by another would be a training by neither.
    key = digest({"spec": spec, **seen, "device": chosen.type, "versions": versions_of(spec)})[:24]
    with ExitStack() as stack:
        folder = stack.enter_context(exclusive(cache / "train" / key))
        if spec["training"].get("random_crop"):
            if "dataset" not in spec:
                raise UserError("training.random_crop: the spec must name the data set whose pictures are cut")
            entry = spec["dataset"] if pictures is None else {**spec["dataset"], "path": str(pictures)}
            cuts = cutting(entry, training_data.images, _labels_of(data), data)
            training_data = replace(training_data, cuts=stack.enter_context(cuts))
        seed_torch(spec["seed"], "init")
        trainer = Trainer(
            task_of(spec, facts),
            configure(Training, spec["training"], "training"),
            training_data,
            spec["seed"],
            chosen,
        )
        checkpoints = Checkpoints(folder)
        images_per_second = trainer.run(checkpoints, checkpoint_every)
        save_weights(trainer, out)
        write_log(trainer.log, log_csv)
        parameters = sum(parameter.numel() for parameter in trainer.network.parameters())
        # What a sample set must know to refuse a classifier that was trained on other images.
        about = facts | {"parameters": parameters, "images_sha256": known.get("images_sha256")}
        about |= {"class_counts": known.get("class_counts")}
        about |= device_facts(chosen)
        write_provenance(out, spec=spec, inputs=inputs.only("data"), facts=about)
        write_provenance(log_csv, spec=spec, inputs=inputs, facts={})
        checkpoints.remove()
    if record is not None:
        record |= {"images_per_second": round(images_per_second, 1), "device": chosen.type, "parameters": parameters}


def _data_of(spec: dict[str, Any], data: Path, flip: bool) -> TrainingData:
    """Return a prepared split, its labels only where they are used. Raises: UserError where it has none then."""
    classifies = "objective" not in spec
    labelled = classifies or bool(spec["network"].get("class_conditional"))
    labels = _labels_of(data) if labelled else None
    if labelled and labels is None:
        kind = "classifier" if classifies else "class-conditional network"
        raise UserError(f"{data}: a {kind} needs labels, and the data set has none")
    return TrainingData(
        images=read_member(data, "arr_0"),
        labels=None if labels is None else torch.from_numpy(np.array(labels)),
        flip=flip,
        low_size=spec.get("low_size"),
    )


def _require_held_out(spec: dict[str, Any], inputs: Inputs, facts: dict[str, Any]) -> None:
    """Raise UserError where the training cannot look at held-out images."""
    if "objective" in spec:
        raise UserError("held-out images have no column in the log of a model; leave --held-out to classifiers")
    known = inputs.records["held_out"]["facts"]
    for name, words in {"shape": "of shape", "num_classes": "in classes:"}.items():
        if known[name] != facts[name]:
            raise UserError(
                f"{inputs.paths['held_out']}: images {words} {known[name]}, those trained on {facts[name]}; "
                "give the other split of the same data set"
            )


def _labels_of(data: Path) -> np.ndarray | None:
    return read_member(data, "arr_1") if "arr_1" in member_names(data) else None


def task_of(spec: dict[str, Any], facts: dict[str, Any]) -> Task:
    """Return what a spec trains: a model, or, where it names no objective, a classifier of noised images."""
    diffusion = diffusion_of(spec)
    if "objective" not in spec:
        return Classification(build_classifier(spec, facts), diffusion)
    objective = part_of("objectives", spec["objective"])
    return Denoising(build_network(spec, facts), diffusion, objective, facts["levels"])


def save_weights(trainer: Trainer, out: Path) -> None:
    """Write the averaged and the raw weights."""
    raw = trainer.network.state_dict()
    averaged = raw | trainer.average.state_dict()
    tensors = {f"ema.{name}": tensor for name, tensor in averaged.items()}
    tensors |= {f"raw.{name}": tensor for name, tensor in raw.items()}
    content = save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()})
    with replacing(out) as temporary:
        temporary.write_bytes(content)


def write_log(rows: list[dict[str, float | None]], path: Path) -> None:
    """Write the training log: step, mean loss and gradient norm since the row before, learning rate, the task's own."""
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="prepared training images (.npz)")
    parser.add_argument("--out", type=Path, required=True, help="weights to write (.safetensors)")
    parser.add_argument("--log-csv", type=Path, required=True, help="training log to write")
    parser.add_argument("--held-out", type=Path, help="images for a classifier's log, not trained on (.npz)")
    parser.add_argument("--pictures", type=Path, help="where the data set lies, for random crops")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="where checkpoints live")
    parser.add_argument("--checkpoint-every", type=int, default=500, help="steps between checkpoints")
    add_device(parser)
    given = parser.parse_args(arguments)
    with run_record(given.run_record, stage="train", out=str(given.out)) as record:
        train(
            given.spec,
            given.data,
            given.out,
            given.log_csv,
            held_out=given.held_out,
            pictures=given.pictures,
            device=given.device,
            cache=given.cache,
            checkpoint_every=given.checkpoint_every,
            record=record,
        )


if __name__ == "__main__":
    run_stage(main)
