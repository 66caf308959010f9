"""A run record states what the run cost and where it ran."""

import json

from diffbench.stages._run_record import run_record


def test_run_record_states_cost_and_machine(tmp_path):
    path = tmp_path / "logs/train.run.json"
    with run_record(path, stage="train") as record:
        record["images"] = 5
        assert not path.exists()
    content = json.loads(path.read_text())
    assert (content["stage"], content["images"]) == ("train", 5)
    assert content["seconds"] >= 0 and content["peak_memory_mib"] > 1
    assert {"machine", "date", "processors", "git_commit"} <= set(content)
    with run_record(None) as record:
        record["x"] = 1
