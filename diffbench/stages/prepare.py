r"""The stage prepare: a data set's images in one memory-mappable file for each split.

python -m diffbench.stages.prepare --spec '{"dataset": {"name": "digits"}}' \
    --out-train train.npz --out-test test.npz

Each file holds `arr_0`, the images as uint8 (number, height, width, channels), and `arr_1`, the labels as
int64, if there are labels. Its provenance states under `facts` what later stages must know about the data.
"""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from diffbench.base.arrays import NpzWriter, read_member, writing_npz
from diffbench.base.classes import class_counts
from diffbench.base.contents import ABSENT, source_of
from diffbench.base.errors import UserError
from diffbench.base.provenance import write_provenance
from diffbench.datasets._split import Split
from diffbench.jobs.data_facts import Codes, DataFacts
from diffbench.jobs.prepare import PrepareJob
from diffbench.metrics._baseline_codes import histogram_code, uniform_code
from diffbench.stages._command import run_stage, stage_parser
from diffbench.stages._run_record import run_record


def prepare(job: PrepareJob, *, out_train: Path, out_test: Path, path: Path | None = None) -> dict[str, DataFacts]:
    """Write both splits and their provenance, and return the facts of each ("train", "test").

    One line for each split on stderr, which a run logs, says what was read.

    path: the data set's path. The job need not name it, because the same pictures at another path are the same data.
    Raises: UserError naming the file that is missing, corrupt or of another size; then neither split is written.
    """
    name, dataset = job.dataset.name, job.dataset.at(path).configured()
    splits: dict[str, Split] = {"train": dataset.open("train"), "test": dataset.open("test")}
    _require_alike(name, splits)
    places = {"train": out_train, "test": out_test}
    with writing_npz(out_train) as train_writer, writing_npz(out_test) as test_writer:
        hashes = {"train": _write(train_writer, splits["train"]), "test": _write(test_writer, splits["test"])}
    source = source_of(dataset)
    if job.source not in (None, ABSENT, source):
        raise UserError(f"dataset {name}: {dataset.path} changed while it was read; give the same command again")
    codes = _codes(places, dataset.levels)
    facts = {}
    for split, images in splits.items():
        facts[split] = DataFacts(
            num_images=images.num_images,
            shape=images.shape,
            levels=dataset.levels,
            flip=dataset.flip,
            num_classes=dataset.num_classes,
            class_counts=_counts(images, dataset.num_classes),
            images_sha256=hashes[split],
            source=source,
            codes=codes,
        )
        write_provenance(places[split], spec=replace(job, split=split).as_json(), facts=facts[split].as_json())
    _say(name, splits, facts["train"].class_counts)
    return facts


def _require_alike(name: str, splits: Mapping[str, Split]) -> None:
    """Raise UserError if a split has no images, or the two have images of different shapes."""
    for split, images in splits.items():
        if not images.num_images:
            raise UserError(f"dataset {name}: split '{split}' is empty; it needs at least one image")
    train, test = splits["train"].shape, splits["test"].shape
    if train != test:
        raise UserError(f"dataset {name}: training images are {train}, test images {test}; make them equal")


def _codes(places: Mapping[str, Path], levels: int) -> Codes:
    """Return how many bits the test split costs without any model, for comparison with the models' bits."""
    train, test = (read_member(places[split], "arr_0") for split in ("train", "test"))
    return Codes(uniform_bits_per_dim=uniform_code(levels), histogram_bits_per_dim=histogram_code(train, test, levels))


def _counts(images: Split, num_classes: int | None) -> tuple[int, ...] | None:
    counts = class_counts(images.labels, num_classes)
    return None if counts is None else tuple(counts)


def _say(name: str, splits: Mapping[str, Split], class_counts: Sequence[int] | None) -> None:
    """Print one line for each split, and one if training lacks a class, since `sample` would ask for that class."""
    lines = [f"{split}: {images.summary()}" for split, images in splits.items()]
    unseen = [str(label) for label, count in enumerate(class_counts or ()) if not count]
    if unseen:
        more = " and others" if unseen[5:] else ""
        lines.append(f"no training image has label {', '.join(unseen[:5])}{more}, of {len(class_counts or ())} classes")
    for line in lines:
        sys.stderr.write(f"dataset {name}: {line}\n")


def _write(writer: NpzWriter, split: Split) -> str:
    """Write a split's images and labels. Return the SHA-256 of the images' bytes alone."""
    hashed = hashlib.sha256()
    with writer.member("arr_0", (split.num_images, *split.shape), np.uint8) as images:
        for chunk in split.chunks:
            hashed.update(np.ascontiguousarray(chunk).data)
            images.write(chunk)
    if split.labels is not None:
        writer.add("arr_1", split.labels)
    return hashed.hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    """Prepare a data set as the command line says."""
    parser = stage_parser(__doc__, PrepareJob.read)
    parser.add_argument("--out-train", type=Path, required=True)
    parser.add_argument("--out-test", type=Path, required=True)
    parser.add_argument("--path", type=Path, help="the data set's path, if the spec does not give it")
    given = parser.parse_args(arguments)
    with run_record(given.run_record, stage="prepare") as cost:
        facts = prepare(given.spec, out_train=given.out_train, out_test=given.out_test, path=given.path)
        cost["num_images"] = sum(split.num_images for split in facts.values())


if __name__ == "__main__":
    run_stage(main)
