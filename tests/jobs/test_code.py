"""The stages whose code hash changes with a file of jobs/: only those that import it, so others keep their artifacts."""

import shutil
from pathlib import Path

import pytest

from diffbench.base.stage_names import STAGES
from diffbench.benchmark.codehash import code_hash

PACKAGE = Path(__file__).parents[2] / "diffbench"

READ_BY = {name: {name} for name in STAGES}
# A trace is of a sample set's images.
READ_BY["sample"] = {"sample", "trace"}
READ_BY["dataset"] = {"prepare", "train"}
READ_BY["sample_facts"] = {"sample", "score"}
READ_BY["features_facts"] = {"extract", "score"}
READ_BY["terms_facts"] = {"bound", "score"}
READ_BY["weights_facts"] = {"train", "convert", "sample", "bound", "trace"}
READ_BY["extractor"] = {"fit", "extract"}


def hashes(root):
    return {stage: code_hash([f"diffbench.stages.{stage}"], root) for stage in STAGES}


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    shutil.copytree(PACKAGE, root / "diffbench")
    return root, hashes(root)


@pytest.mark.parametrize(("name", "stages"), READ_BY.items(), ids=READ_BY)
def test_a_new_field_changes_the_code_of_those_stages_alone(copied, name, stages):
    root, before = copied
    file = root / f"diffbench/jobs/{name}.py"
    text = file.read_text()
    file.write_text(f"{text}\n    added: int = 0\n")
    after = hashes(root)
    file.write_text(text)
    assert {stage for stage in STAGES if before[stage] != after[stage]} == stages
