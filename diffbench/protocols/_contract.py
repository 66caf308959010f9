"""The base class of protocols, and the identity that decides which scores are comparable."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from diffbench.base.errors import UserError

ARRAYS = (".npz", ".npy")
"""The endings of the names of files of images, in lower or upper case."""


@dataclass(frozen=True)
class Protocol:
    """The rules by which a sample set is measured.

    extractor: the name of one of the benchmark's extractors, or of the protocol's own; the SHA-256 of its weights is in
    the id. reference: a split of the data set (train, test), or the path of an `.npz` of images such as ADM's reference
    batches. metrics: what is computed. settings: settings of metrics that replace the protocol's own, such as
    {kid: {subset_size: 50}}; they are in the id.
    """

    extractor: str = "inception"
    reference: str = "train"
    metrics: tuple[str, ...] = ("fid",)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict, kw_only=True)

    version: ClassVar[int] = 2
    """The version, which rises whenever a change of a formula changes a number. Since version 2, Frechet distances keep
    directions below 7e-7 of the largest, colour samples remain in colour against a grey reference, and the interval of
    the Inception Score is the jackknife's."""
    num_images: ClassVar[int | None] = None
    """The number of images in published scores; the id of a score says how many images it has."""
    rounding: ClassVar[str | None] = None
    """The only rule from floats to bytes that it allows; None if it allows any."""
    extractor_entry: ClassVar[Mapping[str, Any]] = {"name": "inception"}
    """The extractor that is used if the benchmark has no entry of that name."""
    resize: ClassVar[str] = "tf1"
    """The rule by which the extractor must resize."""
    options: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Settings of metrics that differ from the metrics' own."""
    source: ClassVar[str] = ""
    deviations: ClassVar[str] = "none known"
    """How its numbers are known to differ from those of the code that it follows, and by how much."""

    def __post_init__(self):
        if self.reference not in ("train", "test") and not self.reference.lower().endswith(ARRAYS):
            raise ValueError(f"reference '{self.reference}' is not allowed; allowed: train, test, or a path of an .npz")
        odd = sorted(set(self.settings) - set(self.metrics))
        if odd:
            raise ValueError(f"settings: '{odd[0]}' is not among the metrics {', '.join(self.metrics)}")

    @property
    def reference_file(self) -> Path | None:
        """The path of the reference; None if it is a split of the data set."""
        return None if self.reference in ("train", "test") else Path(self.reference)

    def metric_options(self, metric: str) -> dict[str, Any]:
        """Return the protocol's own settings of one metric, which `settings` may replace."""
        return dict(self.options.get(metric, {}))

    def metric_settings(self, metric: str) -> dict[str, Any]:
        """Return the settings with which one metric is computed."""
        return {**self.metric_options(metric), **self.settings.get(metric, {})}

    def reference_images(self, available: int) -> int:
        """Return how many of the reference's images are used, counted from the first."""
        return available

    def require(self, *, resize: str, rounding: str | None = None) -> None:
        """Raise UserError if features or samples were made in a way that this protocol does not allow.

        rounding: the rule for the samples; None or "unknown" if a file does not say.
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
        """Return the fields that decide whether two scores are comparable; a seed is never among them.

        reference_sha256: the hash of a split's file, or of the images in a reference file. options: the configured
        fields of every metric; for num_reference, the number that was used is recorded. moments: for each metric that
        uses a stored mean and covariance instead of the reference's images, their hash.
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
                # The protocol decides which features a metric takes, so they are in the id only if `settings` differ.
                fixed = key == "features" and key not in self.settings.get(metric, {})
                if not fixed and value is not None:
                    fields[f"{metric}.{key}"] = min(value, num_reference) if key == "num_reference" else value
        fields |= {f"{metric}.moments": f"stored@{found[:8]}" for metric, found in (moments or {}).items()}
        return fields

    def described(self) -> dict[str, Any]:
        """Return all that the protocol fixes, and the defaults of what a benchmark may choose."""
        fixed = ("version", "num_images", "rounding", "resize", "source", "deviations")
        chosen = {
            name: value for name, value in dataclasses.asdict(self).items() if name not in ("metrics", "settings")
        }
        options = {metric: self.metric_settings(metric) for metric in self.metrics}
        return {**chosen, **{name: getattr(self, name) for name in fixed}, "metrics": options}


CONTRACT = Protocol


def protocol_id(identity: Mapping[str, Any]) -> str:
    """Return a protocol's identity as one word for tables: its fields in order, separated by `;`."""
    return ";".join(f"{key}={value}" for key, value in identity.items())
