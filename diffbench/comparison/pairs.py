"""Differences of Frechet distances between sample sets from the same noise, paired image by image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from diffbench.base.arrays import member_names, read_member
from diffbench.base.errors import UserError
from diffbench.base.inputs import Inputs, checked
from diffbench.base.plugins import configure, load
from diffbench.base.provenance_file import way_out
from diffbench.base.records import SET_KEYS, Estimate
from diffbench.jobs.tabulate import ComparedSet
from diffbench.metrics._pairs import influence_on_fid, paired_difference
from diffbench.metrics.fid import Fid
from diffbench.protocols._contract import Protocol


def influence_of(
    metric: str, part: type[Fid], protocol: Protocol, generated: Path, reference: Path
) -> Float[np.ndarray, " images"]:
    """Return the influence of each generated image on a Frechet distance, as the protocol measures it.

    part: the metric's class. generated, reference: files of features.
    """
    return influence_on_fid(*compared_features(metric, part, protocol, generated, reference))


def compared_features(
    metric: str, part: type[Fid], protocol: Protocol, generated: Path, reference: Path
) -> tuple[Fid, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return a Frechet distance as the protocol sets it, and the features of both sides that it compares, by name.

    The arguments are those of `influence_of`. A reference that is a stored mean and covariance has no images to choose.
    """
    own, real = ({name: read_member(path, name) for name in member_names(path)} for path in (generated, reference))
    chosen = configure(part, protocol.metric_settings(metric), metric)
    if chosen.features in real:
        real[chosen.features] = real[chosen.features][: protocol.reference_images(len(real[chosen.features]))]
    return chosen, own, real


@dataclass
class Pairs:
    """Sample sets whose features are available, so that differences can have the narrower intervals of pairs.

    protocols: the protocols by the names that the sets use for them. The paths in `sets` are below `home`.
    """

    protocols: Mapping[str, Protocol]
    home: Path
    sets: Sequence[ComparedSet]
    _known: dict[tuple[str, str, str], Float[np.ndarray, " images"]] = field(default_factory=dict)

    def differences(
        self, records: Sequence[Mapping[str, Any]], metric: str, model: str, steps: int, samplers: tuple[str, str]
    ) -> dict[tuple[int, int], Estimate]:
        """Return the differences with intervals by (train seed, sample seed); none unless it is a Frechet distance."""
        found = {}
        for seeds, (a, b) in self._pairs(model, steps, samplers).items():
            estimate = self.difference(metric, a, b, _value(records, metric, a) - _value(records, metric, b))
            if estimate is not None:
                found[seeds] = estimate
        return found

    def difference(self, metric: str, a: ComparedSet, b: ComparedSet, value: float) -> Estimate | None:
        """Return a difference a - b with its interval; None unless it is one of Frechet distances of equal sets."""
        part = load("metrics", metric)
        if not issubclass(part, Fid):
            return None
        return paired_difference(value, *(self._influence(metric, part, item) for item in (a, b)))

    def _pairs(
        self, model: str, steps: int, samplers: tuple[str, str]
    ) -> dict[tuple[int, int], tuple[ComparedSet, ComparedSet]]:
        """Return the sets of both samplers by the seeds that they have in common."""
        own = {}
        for item in self.sets:
            if (item.model, item.steps) == (model, steps) and item.sampler in samplers:
                own[item.sampler, item.train_seed, item.sample_seed] = item
        a, b = samplers
        seeds = dict.fromkeys(key[1:] for key in own)
        return {both: (own[a, *both], own[b, *both]) for both in seeds if (a, *both) in own and (b, *both) in own}

    def _influence(self, metric: str, part: type[Fid], item: ComparedSet) -> Float[np.ndarray, " images"]:
        # Two protocols may score the same features against other images, or with other settings.
        key = (metric, item.protocol, item.features)
        if key not in self._known:
            generated, reference = self._of_scores(item).paths.values()
            self._known[key] = influence_of(metric, part, self.protocols[item.protocol], generated, reference)
        return self._known[key]

    def _of_scores(self, item: ComparedSet) -> Inputs:
        """Return the features of a set and of its reference, from which its scores were made.

        Raises: UserError if the scores were made from other files, since the interval would not be the score's.
        """
        files = checked(
            {
                "scores": self.home / item.scores,
                "features": self.home / item.features,
                "reference": self.home / item.reference,
            }
        )
        scored = files.records["scores"]["inputs"]
        for name in ("features", "reference"):
            if scored[name] != files.sha256[name]:
                path = files.paths[name]
                raise UserError(f"{path}: is not what {item.scores} was made from; {way_out(path)}")
        return files.only("features", "reference")


def _value(records: Sequence[Mapping[str, Any]], metric: str, item: ComparedSet) -> float:
    (value,) = {
        record["value"]
        for record in records
        if record["metric"] == metric and all(record[key] == getattr(item, key) for key in SET_KEYS)
    }
    return value
