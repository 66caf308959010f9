"""`diffbench schema`: what it prints is what ships, and a name that does not exist is one line."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_prints_what_ships_and_writes_all(diffbench, tmp_path):
    done = diffbench("schema", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout == (ROOT / "schemas/benchmark.schema.json").read_text()
    assert (
        json.loads(diffbench("schema", "run", cwd=tmp_path).stdout)["properties"]["peak_memory_mib"]["type"] == "number"
    )
    done = diffbench("schema", "--out", "all", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.count("written: ") == 5
    for file in (tmp_path / "all").iterdir():
        assert file.read_bytes() == (ROOT / "schemas" / file.name).read_bytes()


def test_an_unknown_schema_is_one_line(diffbench, tmp_path):
    done = diffbench("schema", "confg", cwd=tmp_path)
    assert done.returncode == 2 and "did you mean 'config'" in done.stderr and done.stderr.count("\n") == 1
