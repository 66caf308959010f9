"""The command from its options to its text: it checks the options, and then scores the images."""

from dataclasses import dataclass
from pathlib import Path

from diffbench.base.errors import UserError
from diffbench.commands.measure import before
from diffbench.commands.measure.image_sets import image_file, reference_file
from diffbench.commands.measure.run import extractor_of, measure, protocol_of, report, table_row, wanted_of


@dataclass(frozen=True)
class Asked:
    """The command's options by their names; None if one is not given."""

    samples: Path
    reference: str
    data: Path | None
    split: str | None
    protocol: str
    weights: Path | None
    out: Path | None
    rounding: str | None
    metrics: tuple[str, ...]
    settings: tuple[str, ...]
    label: str | None
    device: str
    cache: Path
    threads: int

    @property
    def target(self) -> Path:
        """The file of the records."""
        unnamed = self.samples.name in ("", "..")
        return self.out or Path(f"{self.samples.resolve() if unnamed else self.samples}.{self.protocol}.json")


def answer(asked: Asked) -> str:
    """Write the scores and return them as text. Raises: UserError; if possible, before any work."""
    if not asked.samples.exists():
        raise UserError(f"{asked.samples}: no such file")
    settings = before.settings_of(asked.settings)
    label = before.label_of(asked.samples, asked.label)
    _, extractor = extractor_of(protocol_of(asked.protocol, "train", asked.metrics, settings), asked.protocol)
    wanted = wanted_of(extractor, asked.weights)
    before.require_apart(asked.target, asked.samples, Path(asked.reference))
    before.require_writable(asked.target, "--out", is_folder=False)
    before.require_writable(asked.cache, "--cache", is_folder=True)
    with before.naming_cache(asked.cache):
        own = image_file(asked.samples, asked.cache, wanted)
        against, place = reference_file(asked.reference, asked.data, asked.split, asked.cache, wanted)
        part = protocol_of(asked.protocol, place, asked.metrics, settings)
        measured = measure(
            own.file,
            against.file,
            part,
            asked.protocol,
            label=label,
            out=asked.target,
            cache=asked.cache,
            weights=asked.weights,
            rounding=asked.rounding,
            device=asked.device,
            threads=asked.threads,
        )
    said = [f"samples: {own.read} ({measured.samples})", f"reference: {against.read} ({measured.reference})", ""]
    said += [report(measured, part), ""]
    row = table_row(measured.records)
    said += ["as a row of table2.csv:", row, ""] if row else []
    return before.printable("\n".join([*said, f"written to {asked.target}"]))
