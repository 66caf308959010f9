"""What every protocol is, and the identity that decides which scores compare."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from diffbench.base.errors import UserError

ARRAYS = (".npz", ".npy")
"""How the names of files of images end, in either case."""


@dataclass(frozen=True)
class Protocol:
    """How a sample set is measured.

    extractor: an entry of the benchmark's extractors, or the protocol's own by that name; its weights' sha256 joins the
    id. reference: a split of the data set (train, test), or the path of an `.npz` of images such as ADM's reference
    batches. metrics: what is computed. settings: of metrics, laid over the protocol's own, such as
    {kid: {subset_size: 50}}; they are in the id.
    """

    extractor: str = "inception"
    reference: str = "train"
    metrics: tuple[str, ...] = ("fid",)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict, kw_only=True)

    version: ClassVar[int] = 2
    """Raised whenever a formula changes a number. 2: Frechet distances keep directions below 7e-7 of the largest,
    colour stays colour against a grey reference, and the Inception Score's interval is the jackknife's."""
    num_images: ClassVar[int | None] = None
    """Images that published scores have; a score of another number says so in its id."""
    rounding: ClassVar[str | None] = None
    """The only rule from floats to bytes that it allows, or None."""
    extractor_entry: ClassVar[Mapping[str, Any]] = {"name": "inception"}
    """The extractor that it means, where the benchmark has no entry of that name."""
    resize: ClassVar[str] = "tf1"
    """How the extractor must resize."""
    options: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Settings of metrics that differ from the metrics' own."""
    source: ClassVar[str] = ""
    deviations: ClassVar[str] = "none known"
    """Where its numbers are knowingly not those of the code that it follows, and by how much."""

    def __post_init__(self):
        if self.reference not in ("train", "test") and not self.reference.lower().endswith(ARRAYS):
            raise ValueError(f"reference '{self.reference}' is not allowed; allowed: train, test, or a path of an .npz")
        odd = sorted(set(self.settings) - set(self.metrics))
        if odd:
            raise ValueError(f"settings: of '{odd[0]}', which is not among the metrics {', '.join(self.metrics)}")

    @property
    def reference_file(self) -> Path | None:
        """The reference's path, where it is no split of the data set."""
        return None if self.reference in ("train", "test") else Path(self.reference)

    def metric_options(self, metric: str) -> dict[str, Any]:
        """Return the protocol's own settings of one metric; `settings` are laid over them."""
        return dict(self.options.get(metric, {}))

    def metric_settings(self, metric: str) -> dict[str, Any]:
        """Return the settings of one metric as it is computed."""
        return {**self.metric_options(metric), **self.settings.get(metric, {})}

    def reference_images(self, available: int) -> int:
        """Return how many of the reference's images count, from the first."""
        return available

    def require(self, *, resize: str, rounding: str | None = None) -> None:
        """Raise UserError where features or samples were made in a way that this protocol does not mean.

        rounding: of the samples; None or "unknown" where a file does not say.
        """
        if resize != self.resize:
            raise UserError(f"this protocol resizes by '{self.resize}', the extractor by '{resize}'; not comparable")
        if self.rounding is not None and rounding not in (None, "unknown", self.rounding):
            raise UserError(f"this protocol's samples are rounded by '{self.rounding}', these by '{rounding}'")

    def identity(
        self,
        name: str,
        *,
        extractor_sha256: str,
        rounding: str,
        num_images: int,
        reference_sha256: str,
        num_reference: int,
        options: Mapping[str, Mapping[str, Any]],
        moments: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Return the fields that decide whether two scores compare; never a seed.

        reference_sha256: of a split's file, or of a file's images, whatever they are packed in. options: of every
        metric, its configured fields; a field that limits the reference is given as it took effect. moments: by metric,
        the hash of the stored mean and covariance that it takes in place of the reference's images.
        """
        split = "file" if self.reference_file else self.reference
        fields = {
            "protocol": f"{name}@{self.version}",
            "extractor": f"{self.extractor}@{extractor_sha256[:8]}",
            "resize": self.resize,
            "rounding": rounding,
            "n": num_images,
            "reference": f"{split}:{num_reference}@{reference_sha256[:8]}",
        }
        for metric, values in options.items():
            for key, value in values.items():
                # Which features a metric takes is the protocol's, until somebody chooses others.
                fixed = key == "features" and key not in self.settings.get(metric, {})
                if not fixed and value is not None:
                    fields[f"{metric}.{key}"] = min(value, num_reference) if key == "num_reference" else value
        fields |= {f"{metric}.moments": f"stored@{found[:8]}" for metric, found in (moments or {}).items()}
        return fields

    def described(self) -> dict[str, Any]:
        """Return everything that the protocol fixes, and the defaults of what a benchmark may choose."""
        fixed = ("version", "num_images", "rounding", "resize", "source", "deviations")
        chosen = {
            name: value for name, value in dataclasses.asdict(self).items() if name not in ("metrics", "settings")
        }
        options = {metric: self.metric_settings(metric) for metric in self.metrics}
        return {**chosen, **{name: getattr(self, name) for name in fixed}, "metrics": options}


CONTRACT = Protocol


def protocol_id(identity: Mapping[str, Any]) -> str:
    """Return a protocol's identity as one word for tables: its fields in order, `;` between them."""
    return ";".join(f"{key}={value}" for key, value in identity.items())
