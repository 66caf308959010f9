"""The id of a protocol as it is in tables and records: fields with their values, separated by `;`."""

DEFAULT_PRECISION = "float32"
"""The precision that a protocol's id does not name, so that ids from before there was a choice still hold."""


def precision_field(precision: str | None) -> dict[str, str]:
    """Return the field of a protocol's id that names the precision of a network whose output is scored.

    None: a record from before there was a choice. float32 has no field.
    """
    return {} if precision in (None, DEFAULT_PRECISION) else {"precision": str(precision)}


def fields_of(identity: str | None) -> dict[str, str]:
    """Return the fields of a protocol id. A word without a value becomes the field `kind`."""
    pairs = (part.partition("=") for part in (identity or "").split(";") if part)
    return {key if mark else "kind": value if mark else key for key, mark, value in pairs}


def protocol_fields(identity: str | None, metric: str) -> dict[str, str]:
    """Return the fields of a protocol id that concern a metric: `recall.k` is left out when precision is compared."""
    fields = fields_of(identity)
    return {key: value for key, value in fields.items() if "." not in key or key.startswith(f"{metric}.")}
