"""The command: it prints a JSON Schema, or writes all of them into a folder."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from diffbench.base.errors import UserError
from diffbench.base.json_schema import Schema
from diffbench.base.plugins import nearest
from diffbench.base.writing import replacing
from diffbench.benchmark.record_schema import metrics_schema, provenance_schema, run_schema, scores_schema
from diffbench.benchmark.schema import config_schema

SCHEMAS: Mapping[str, Callable[[], Schema]] = {
    "config": config_schema,
    "scores": scores_schema,
    "record": provenance_schema,
    "run": run_schema,
    "metrics": metrics_schema,
}
"""The schemas by the name of what they describe."""

FILES: Mapping[str, str] = {name: f"{name}.schema.json" for name in SCHEMAS} | {"config": "benchmark.schema.json"}
"""The name of each schema's file."""


def schema_text(name: str) -> str:
    """Return a schema as JSON. Raises: UserError if there is none of that name."""
    if name not in SCHEMAS:
        raise UserError(f"schema: no schema '{name}'; {nearest(name, SCHEMAS)}")
    return json.dumps(SCHEMAS[name](), indent=1) + "\n"


def write_all(folder: Path) -> list[Path]:
    """Write every schema into a folder and return the files. Files that hold an older schema are replaced."""
    written = []
    for name, file in FILES.items():
        with replacing(folder / file) as temporary:
            temporary.write_text(schema_text(name))
        written.append(folder / file)
    return written
