"""The stage train: the weights, averaged and raw, of a model or a noisy classifier, from a prepared data set."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from diffbench.base.arrays import Bytes, read_member, save_npz
from diffbench.base.devices import chosen_device, device_facts, prepare
from diffbench.base.digests import digest
from diffbench.base.errors import UserError
from diffbench.base.inputs import Inputs, checked, upstream_of
from diffbench.base.memory import enough_memory
from diffbench.base.provenance import versions_of, write_provenance
from diffbench.base.seeds import seed_torch
from diffbench.base.world import exclusive_to, joined
from diffbench.base.writing import replacing
from diffbench.jobs.data_facts import DataFacts
from diffbench.jobs.train import TrainJob
from diffbench.jobs.weights_facts import TrainedOn, WeightsFacts
from diffbench.networks._blocks import recompute
from diffbench.stages._command import add_device, stage_parser
from diffbench.stages._cuts import cutting
from diffbench.stages._image_file import stored_labels
from diffbench.stages._model import Architecture
from diffbench.stages._ranks import run_of, run_ranks
from diffbench.stages._validation import found_losses, require_asked, validator_of
from diffbench.training.checkpoints import Checkpoints
from diffbench.training.data import Cuts, TrainingData
from diffbench.training.gradient import UNDIVIDED, Division
from diffbench.training.loop import Trainer
from diffbench.training.sharding import whole
from diffbench.training.tasks import Classification, Denoising, Task

WAY_OUT = (
    "lower execution.micro_batch, with which the gradients of smaller parts of the batch are added, "
    "or set execution.activation_checkpointing: true"
)
"""What a user can do if a training step needs too much memory."""


def train(
    job: TrainJob,
    data: Path,
    out: Path,
    log_csv: Path,
    *,
    held_out: Path | None = None,
    validation: Path | None = None,
    pictures: Path | None = None,
    device: str = "auto",
    cache: Path = Path(".cache"),
    checkpoint_every: int = 500,
    division: Division = UNDIVIDED,
    activation_checkpointing: bool = False,
    record: dict[str, Any] | None = None,
) -> None:
    """Write weights (`ema.<name>` and `raw.<name>`, safetensors), a CSV log and their provenance.

    held_out: prepared images, for a classifier's accuracy or a model's validation loss. validation: the file for
    validation losses (.npz), if the job asks for them. pictures: the path of the data set that the job names for random
    crops. If a run of the same job and data was interrupted, training goes on from its last checkpoint in `cache`.
    division: how the batch is shared among processes, of which each calls this function, and the first writes.
    activation_checkpointing: whether less is kept for the way back, and computed again there. It changes no byte.
    Raises: UserError if the inputs do not fit each other or the job.
    """
    require_asked(job, held_out, validation)
    inputs = checked({"data": data, "held_out": held_out}, upstream=upstream_of(job.upstream))
    world = division.world
    chosen = chosen_device(device, world.device_number)
    prepare(job.numerics, job.threads, chosen)
    known = DataFacts.recorded(inputs.records["data"])
    facts, architecture = WeightsFacts.of(known, job.low_size), Architecture.of(job)
    labelled, labels = job.objective is None or architecture.takes_labels, stored_labels(data)
    images = _images_of(job, data, labels, labelled=labelled, flip=known.flip)
    seed_torch(job.seed, "init")
    task = task_of(job, architecture, facts)
    if activation_checkpointing:
        recompute(task.network)
    validator = None
    if held_out is not None:
        others = _held_out_images(job, held_out, inputs, facts, labelled=labelled)
        images = replace(images, held_out=others if task.counts else None)
        validator = validator_of(job, task.network, architecture, others, chosen)
    checkpoints = Checkpoints(cache / "train" / _key_of(job, inputs, facts, chosen))
    with exclusive_to(world, checkpoints.folder), _crops(job, data, images.images, labels, pictures) as cuts:
        images = replace(images, cuts=cuts)
        with enough_memory(f"{division.micro_batch or job.training.batch_size} images of a training step", WAY_OUT):
            trainer = Trainer(task, job.training, images, job.seed, chosen, validator, job.numerics, division)
            images_per_second = trainer.run(checkpoints, checkpoint_every)
        parameters = sum(parameter.numel() for parameter in trainer.network.parameters())
        tensors, losses = weights_of(trainer), None
        if validator is not None:
            losses = found_losses(validator, job, architecture, facts, trainer.network, chosen)
        if not world.leads:
            return
        save_weights(tensors, out)
        write_log(trainer.log, log_csv)
        computed = device_facts(chosen, job.numerics)
        about = replace(facts, parameters=parameters, trained_on=_trained_on(known)).as_json()
        about |= computed | division.facts(job.training)
        # The weights depend on no held-out image, but a job that asks for a validation loss is not run without them.
        made_from = inputs.only("data") if job.validation is None else inputs
        write_provenance(out, spec=job.as_json(), inputs=made_from, facts=about)
        write_provenance(log_csv, spec=job.as_json(), inputs=inputs, facts={})
        if losses is not None and validation is not None:
            save_npz(validation, losses.arrays)
            write_provenance(validation, spec=job.as_json(), inputs=inputs, facts=computed)
        checkpoints.remove()
    if record is not None:
        record |= {"images_per_second": round(images_per_second, 1), "device": chosen.type, "parameters": parameters}
        if division.sharded:
            record["sharded"] = True


def _trained_on(known: DataFacts) -> TrainedOn:
    """Return facts of the training images, by which sampling refuses a classifier of other images and draws labels."""
    return TrainedOn(images_sha256=known.images_sha256, class_counts=known.class_counts)


def _key_of(job: TrainJob, inputs: Inputs, facts: WeightsFacts, device: torch.device) -> str:
    """Return the name of a run's checkpoints: the digest of everything that determines it."""
    spec = job.as_json()
    # The facts count too, since levels and flip are in the data set's entry and change no byte of its images.
    seen = {name: inputs.sha256.get(name) for name in ("data", "held_out")} | {"facts": facts.as_json()}
    # A training must not begin with one version of torch and end with another.
    return digest({"spec": spec, **seen, "device": device.type, "versions": versions_of(spec)})[:24]


def _images_of(job: TrainJob, data: Path, labels: np.ndarray | None, *, labelled: bool, flip: bool) -> TrainingData:
    """Return a prepared split, with its labels if they are used. Raises: UserError if it lacks labels that are used."""
    if labelled and labels is None:
        raise UserError(f"{data}: a classifier or a class-conditional network needs labels, and the data set has none")
    return TrainingData(
        images=read_member(data, "arr_0"),
        labels=torch.from_numpy(labels) if labelled else None,
        flip=flip,
        low_size=job.low_size,
    )


def _held_out_images(
    job: TrainJob, held_out: Path, inputs: Inputs, facts: WeightsFacts, *, labelled: bool
) -> TrainingData:
    """Return held-out images. Raises: UserError if they are unlike those that are trained on, or lack labels."""
    _require_alike(held_out, DataFacts.recorded(inputs.records["held_out"]), facts)
    return _images_of(job, held_out, stored_labels(held_out), labelled=labelled, flip=False)


def _require_alike(held_out: Path, own: DataFacts, facts: WeightsFacts) -> None:
    """Raise UserError if the shape or the classes of held-out images are different."""
    compared = {
        "of shape": (list(own.shape), list(facts.shape)),
        "in classes:": (own.num_classes, facts.num_classes),
    }
    for words, (found, wanted) in compared.items():
        if found != wanted:
            raise UserError(
                f"{held_out}: images {words} {found}, those trained on {wanted}; "
                "give the other split of the same data set"
            )


@contextmanager
def _crops(
    job: TrainJob, data: Path, images: Bytes, labels: np.ndarray | None, pictures: Path | None
) -> Iterator[Cuts | None]:
    """Yield a function that makes random crops; None if the job uses images as they are stored.

    Raises: UserError if the job names no data set, or its pictures do not fit.
    """
    if not job.training.random_crop:
        yield None
        return
    if job.dataset is None:
        raise UserError("training.random_crop: the spec must name the data set whose pictures are cut")
    with cutting(job.dataset.at(pictures), images, labels, data) as cuts:
        yield cuts


def task_of(job: TrainJob, architecture: Architecture, facts: WeightsFacts) -> Task:
    """Return what a job trains: a model, or, if it names no objective, a classifier of noised images."""
    if job.objective is None:
        return Classification(architecture.classifier(facts), architecture.diffusion, job.numerics)
    objective = job.objective.configured()
    network, diffusion = architecture.model(facts), architecture.diffusion
    return Denoising(network, diffusion, objective, facts.levels, job.numerics)


def weights_of(trainer: Trainer) -> dict[str, Tensor]:
    """Return the averaged and the raw weights by name; processes that share them must all call this."""
    raw = trainer.network.state_dict()
    averaged = raw | trainer.average.state_dict()
    tensors = {f"ema.{name}": tensor for name, tensor in averaged.items()}
    return whole(tensors | {f"raw.{name}": tensor for name, tensor in raw.items()})


def save_weights(tensors: dict[str, Tensor], out: Path) -> None:
    """Write weights."""
    content = save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()})
    with replacing(out) as temporary:
        temporary.write_bytes(content)


def write_log(rows: list[dict[str, float | None]], path: Path) -> None:
    """Write the training log.

    Columns: step; mean loss, mean gradient norm and gradient noise scale (in images; empty if it cannot be estimated)
    since the row before; learning rate; and the task's own.
    """
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the stage."""
    parser = stage_parser(__doc__, TrainJob.read)
    parser.add_argument("--data", type=Path, required=True, help="prepared training images (.npz)")
    parser.add_argument("--out", type=Path, required=True, help="weights to write (.safetensors)")
    parser.add_argument("--log-csv", type=Path, required=True, help="training log to write")
    parser.add_argument(
        "--held-out", type=Path, help="images for a classifier's accuracy or a model's validation loss (.npz)"
    )
    parser.add_argument("--validation", type=Path, help="validation losses to write (.npz)")
    parser.add_argument("--pictures", type=Path, help="the data set's path, for random crops")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="the folder for checkpoints")
    parser.add_argument("--checkpoint-every", type=int, default=500, help="steps between checkpoints")
    parser.add_argument("--micro-batch", type=int, help="the most images of a step that a process computes at once")
    parser.add_argument(
        "--sharded", choices=["yes", "no"], default="no", help="yes: the processes of torchrun share the weights (FSDP)"
    )
    parser.add_argument(
        "--activation-checkpointing", choices=["yes", "no"], default="no", help="yes: take less memory and more time"
    )
    add_device(parser)
    given = parser.parse_args(arguments)
    try:
        division = Division(joined(), given.micro_batch, given.sharded == "yes")
    except ValueError as error:
        raise UserError(f"--{error}") from None
    with run_of(division.world, given, "train") as record:
        train(
            given.spec,
            given.data,
            given.out,
            given.log_csv,
            held_out=given.held_out,
            validation=given.validation,
            pictures=given.pictures,
            device=given.device,
            cache=given.cache,
            checkpoint_every=given.checkpoint_every,
            division=division,
            activation_checkpointing=given.activation_checkpointing == "yes",
            record=record,
        )


if __name__ == "__main__":
    run_ranks(main)
