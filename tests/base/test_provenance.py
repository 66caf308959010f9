"""Provenance says what was asked and what went in, and is a function of the job."""

import hashlib
import sys
from types import ModuleType

import pytest

from diffbench.base.digests import sha256
from diffbench.base.inputs import checked
from diffbench.base.provenance import PACKAGES, write_provenance
from diffbench.base.provenance_file import provenance_path, read_provenance


def test_provenance_says_what_was_asked_and_what_went_in(tmp_path):
    source, out = tmp_path / "in.bin", tmp_path / "out.bin"
    source.write_bytes(b"in")
    out.write_bytes(b"out")
    inputs = checked({"data": source}, foreign=["data"])
    write_provenance(out, spec={"b": 1, "a": [2]}, inputs=inputs, facts={"n": 3})
    content = read_provenance(out)
    assert provenance_path(out) == tmp_path / "out.bin.json"
    assert content["artifact"] == "out.bin"
    assert content["sha256"] == hashlib.sha256(b"out").hexdigest() == sha256(out)
    assert content["inputs"] == {"data": hashlib.sha256(b"in").hexdigest()}
    assert content["spec"] == {"a": [2], "b": 1} and content["facts"] == {"n": 3}
    assert {"python"} <= set(content["versions"]) and content["threads"] >= 1
    first = provenance_path(out).read_bytes()
    write_provenance(out, spec={"a": [2], "b": 1}, inputs=inputs, facts={"n": 3})
    assert provenance_path(out).read_bytes() == first


@pytest.mark.parametrize("loaded", [(), ("torch", "diffusers", "PIL", "pandas")])
def test_a_record_is_a_function_of_the_job_not_of_what_a_process_imported(artifact, monkeypatch, loaded):
    for name in ("torch", "diffusers", "PIL", "pandas"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in loaded:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    write_provenance(artifact, spec={})
    recorded = read_provenance(artifact)
    assert set(recorded["versions"]) == {*PACKAGES, "python"} and recorded["threads"] == 3
    write_provenance(artifact, spec={"sampler": {"name": "diffusers:DDIMScheduler"}, "threads": 1})
    recorded = read_provenance(artifact)
    assert set(recorded["versions"]) == {*PACKAGES, "python", "diffusers"} and recorded["threads"] == 1
