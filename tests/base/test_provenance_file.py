"""A record that is missing, edited or of something else is one line that names it."""

import json

import pytest

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import provenance_path, read_provenance, write_recorded


def test_a_record_without_a_digest_of_its_own_is_refused(artifact):
    recorded = provenance_path(artifact)
    content = json.loads(recorded.read_text())
    del content["record_sha256"]
    recorded.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    with pytest.raises(UserError, match="has no digest of its own, so an older version wrote it; make it again"):
        read_provenance(artifact)
    write_recorded(recorded, content)
    assert read_provenance(artifact)["facts"] == {"share": 0.1, "classes": {"9": "nine", "10": "ten"}}


@pytest.mark.parametrize(("content", "message"), [(None, "missing"), ("{", "not JSON")])
def test_provenance_that_cannot_be_read_is_one_line(tmp_path, content, message):
    if content is not None:
        (tmp_path / "out.bin.json").write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        read_provenance(tmp_path / "out.bin")
    assert "out.bin.json" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"facts": {"num_images": 3}}, "x.npz.json: records no 'weights_sha256'"),
        ({"records": []}, "x.npz.json: records no 'facts'"),
        (b'{"facts": {"weights_sha256": "a"}}', "x.npz.json: has no digest of its own"),
        (b"[1]", "x.npz.json: not a provenance"),
        (bytes(range(256)), "x.npz.json: not JSON"),
    ],
)
def test_another_files_record_in_the_place_of_a_provenance_is_one_line(tmp_path, content, message):
    if isinstance(content, bytes):
        (tmp_path / "x.npz.json").write_bytes(content)
    else:
        write_recorded(tmp_path / "x.npz.json", content)
    with pytest.raises(UserError, match=message):
        read_provenance(tmp_path / "x.npz")["facts"]["weights_sha256"]
