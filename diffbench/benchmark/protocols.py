"""The extractors of a benchmark's protocols, and checks that they give the features that the metrics need."""

from collections.abc import Mapping
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.names import require_names
from diffbench.base.plugins import chosen, configure, load, stated

FEWEST = 3
"""The fewest images of a sample set that is scored; a metric may need more."""


def extractors_of(content: Mapping[str, Any], protocols: Mapping[str, tuple[str, Any]]) -> dict[str, tuple[str, Any]]:
    """Return the extractors that the protocols name: an entry of `extractors`, or otherwise a part of that name."""
    entries = stated(content.get("extractors"))
    if not isinstance(entries, Mapping):
        raise UserError("extractors: must be a map of named entries")
    require_names(entries, "extractors")
    found = {key: chosen("extractors", entry, f"extractors.{key}", default=key) for key, entry in entries.items()}
    for key, (_, protocol) in protocols.items():
        if protocol.extractor not in found:
            default = type(protocol).__dataclass_fields__["extractor"].default
            require_names([protocol.extractor], f"protocols.{key}.extractor")
            entry = dict(protocol.extractor_entry) if protocol.extractor == default else protocol.extractor
            found[protocol.extractor] = chosen("extractors", entry, f"protocols.{key}.extractor")
        check_protocol(f"protocols.{key}", protocol, found[protocol.extractor][1])
    return found


def check_protocol(where: str, protocol: Any, extractor: Any) -> None:
    """Raise UserError if a protocol's extractor lacks features that a metric needs, or resizes in another way."""
    try:
        protocol.require(resize=extractor.resize)
    except UserError as error:
        raise UserError(f"{where}.extractor: {error}") from None
    if not protocol.metrics:
        raise UserError(f"{where}.metrics: must not be empty")
    for metric in protocol.metrics:
        part = metric_of(protocol, metric, f"{where}.metrics")
        if part.consumes != "features":
            raise UserError(f"{where}.metrics: {metric} is computed from {part.consumes}, not from features")
        needed = part.features
        if needed is not None and needed not in extractor.features:
            held = ", ".join(extractor.features)
            raise UserError(f"{where}.metrics: {metric} needs features '{needed}', the extractor has {held}")


def metric_of(protocol: Any, metric: str, where: str) -> Any:
    """Return a protocol's metric with its settings; only its class if it takes no features. Raises: UserError."""
    part = load("metrics", metric, where)
    if part.consumes != "features":
        return part
    return configure(part, protocol.metric_settings(metric), f"{where}: {metric}")


def fewest_generated(metric: Any, extractor: Any) -> int:
    """Return how many images a sample set must have, so that a metric can be computed from an extractor's features."""
    width = extractor.widths().get(metric.features)
    return max(FEWEST, metric.fewest, metric.fewest if width is None else metric.fewest_of(width))
