"""Records of wrong types: one line, whatever reads them."""

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diffbench.base.errors import UserError
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import read_provenance
from diffbench.base.record_types import require_provenance
from diffbench.base.records import Estimate, Row, read_records, record, write_records
from diffbench.benchmark.load import parse_benchmark
from diffbench.benchmark.yaml_file import read_yaml

ROW = {
    "benchmark": "b", "model": "m", "sampler": "s", "steps": 5, "guidance_scale": None, "train_seed": 0,
    "sample_seed": 0, "num_images": 9,
}  # fmt: skip
SPEC = {
    "network": {"name": "unet", "channels": 16, "channel_multipliers": [1, 2], "residual_blocks": 1}
    | {"attention_resolutions": [4], "norm_groups": 8},
    "diffusion": {"timesteps": 50, "schedule": "linear", "parameterization": "eps", "variance": "fixed_large"},
    "weights": "ema",
}
FACTS = {"shape": [8, 8, 1], "levels": 17, "num_classes": 10, "nfe": 5.0, "flops_per_evaluation": 7}
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from([10**12, 2**63, 10**400]), st.floats(),
    st.text(max_size=2), st.lists(st.none() | st.integers(-1, 9), max_size=3),
    st.dictionaries(st.sampled_from(["name", "a"]), st.none() | st.integers(0, 1), max_size=2),
)  # fmt: skip


def places(content, path=()):
    found = [path] if path else []
    for key, value in content.items() if isinstance(content, dict) else ():
        found += places(value, (*path, key))
    return found


def changed(content, changes):
    content = copy.deepcopy(content)
    for path, value in changes:
        held = content
        for key in path[:-1]:
            held = held[key] if isinstance(held, dict) and key in held else {}
        if isinstance(held, dict):
            held[path[-1]] = value
    return content


@pytest.fixture
def artifact(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"x")
    write_provenance(path, spec=SPEC, facts=FACTS)
    return path


CONTENT = {"artifact": "a", "sha256": "b", "inputs": {"data": "c"}, "spec": SPEC, "facts": FACTS} | {
    "versions": {"torch": "2"},
    "threads": 1,
}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("facts",), [1], "facts: [1] is not"),
        (("facts", "given"), ["a.json"], "facts.given: ['a.json'] is not"),
        (("spec",), "unet", "spec: 'unet' is not"),
        (("inputs", "data"), 3, "inputs.data: 3 is not a text"),
        (("sha256",), None, "sha256: None is not a text"),
    ],
)
def test_a_record_of_another_type_is_one_line(path, value, message, tmp_path):
    require_provenance(CONTENT, tmp_path / "a.json")
    with pytest.raises(UserError) as caught:
        require_provenance(changed(CONTENT, [(path, value)]), tmp_path / "a.json")
    said = str(caught.value)
    assert said.startswith(f"{tmp_path}/a.json: ") and message in said and "\n" not in said


@pytest.mark.parametrize("text", ["", "[", "[1]", "null", "[" * 100_000, '{"a": ' + "9" * 5000 + "}", "\0"])
def test_a_record_that_is_no_json_map_is_one_line(artifact, text):
    source = artifact.with_name("weights.safetensors.json")
    source.write_text(text)
    with pytest.raises(UserError, match="not JSON|not a provenance"):
        read_provenance(artifact)
    with pytest.raises(UserError, match="not a file of scores"):
        read_records([source])


BENCHMARK = """
benchmark: small
dataset: {name: digits}
models: {theirs: {checkpoint: weights.safetensors}}
samplers: {ddim: {}}
protocols: {digits: {extractor: digits_features}}
runs: [{models: [theirs], samplers: [ddim], steps: [5], num_images: 20, protocols: [digits]}]
"""


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes=st.lists(st.tuples(st.sampled_from(places(CONTENT)), ODD), min_size=1, max_size=2))
def test_an_odd_record_beside_a_checkpoint_is_used_or_refused_in_one_line(artifact, monkeypatch, changes):
    monkeypatch.chdir(artifact.parent)
    (artifact.parent / "b.yaml").write_text(BENCHMARK)
    written = json.loads(artifact.with_name("weights.safetensors.json").read_text())
    artifact.unlink()
    artifact.write_bytes(b"x")
    write_provenance(artifact, spec=changed(SPEC, [(p[1:], v) for p, v in changes if p[0] == "spec" and p[1:]]),
                     facts=changed(FACTS, [(p[1:], v) for p, v in changes if p[0] == "facts" and p[1:]]))  # fmt: skip
    try:
        parse_benchmark(read_yaml("b.yaml"), "b.yaml")
    except UserError as error:
        assert "\n" not in str(error)
    artifact.with_name("weights.safetensors.json").write_text(json.dumps(changed(written, changes)))
    try:
        parse_benchmark(read_yaml("b.yaml"), "b.yaml")
    except UserError as error:
        assert "\n" not in str(error)


SCORE = record(Row(**ROW), "fid", "p", Estimate(1.0, 0.5, 1.5))


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    changes=st.dictionaries(st.sampled_from(sorted(SCORE)), ODD, min_size=1, max_size=2),
    left=st.none() | st.sampled_from(sorted(SCORE)),
)
def test_odd_scores_make_a_table_or_one_line(tmp_path, changes, left):
    from diffbench.jobs.tabulate import TableJob, TablePart
    from diffbench.stages.tabulate import tabulate

    odd = {key: value for key, value in (SCORE | changes).items() if key != left}
    write_records(tmp_path / "a.json", [odd, SCORE])
    try:
        for name in ("table2", "table4"):
            tabulate(
                TableJob(benchmark="digits", table=TablePart(name)),
                out_table=tmp_path / "t.csv",
                scores=[tmp_path / "a.json"],
            )
    except UserError as error:
        assert "\n" not in str(error)
