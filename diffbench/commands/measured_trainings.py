"""The trainings below a folder of results: their files, and how fast each was by its run record."""

import json
from dataclasses import dataclass
from pathlib import Path

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import RESULTS
from diffbench.commands.missing import way_to


@dataclass(frozen=True)
class TrainingFolder:
    """The folder of a training. name: model/train<seed>; that of a classifier has its own kind before it."""

    name: str
    folder: Path
    run_record: Path

    @property
    def images_per_second(self) -> float | None:
        """The speed of the training by its run record, measurements included; None if there is no record.

        Raises: UserError if the file is not a run record.
        """
        if not self.run_record.is_file():
            return None
        try:
            return float(json.loads(self.run_record.read_text())["images_per_second"]) or None
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{self.run_record}: not a run record of a training; remove it") from None


def trainings_below(results: Path) -> list[TrainingFolder]:
    """Return the trainings of a folder of results, or of a benchmark's folder. Raises: UserError if there are none."""
    results = results / RESULTS if (results / RESULTS).is_dir() else results
    if not results.is_dir():
        raise UserError(f"{results}: no such folder of results; {way_to(results)}")
    found = []
    for kind, stage, said in (("models", "train", ""), ("classifiers", "train_classifier", "classifier ")):
        for log in sorted(results.glob(f"{kind}/*/train*/log.csv"), key=_by_seed):
            model, seed = log.parent.parent.name, log.parent.name
            record = results / "logs" / stage / model / f"{seed}.run.json"
            found.append(TrainingFolder(f"{said}{model}/{seed}", log.parent, record))
    if not found:
        raise UserError(f"{results}: no training logs below it; {way_to(results)}")
    return found


def _by_seed(log: Path) -> tuple[str, int, str]:
    seed = log.parent.name.removeprefix("train")
    return log.parent.parent.name, int(seed) if seed.removeprefix("-").isdecimal() else 0, seed
