"""Weights as others save them: clear wrappers are removed, and a file without weights is refused in one line."""

import io
import json
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save, save_file

from diffbench.base.errors import UserError
from diffbench.base.inputs import NOTHING
from diffbench.base.names import weights_under
from diffbench.base.provenance_file import read_provenance
from diffbench.jobs.convert import ConvertJob
from diffbench.jobs.weights_facts import WeightsFacts
from diffbench.networks.unet import Unet
from diffbench.stages._foreign import read_held, read_state, unwrapped
from diffbench.stages.convert import write_weights

SPEC = """\
network: {name: unet, channels: 16, channel_multipliers: [1, 2], residual_blocks: 1, attention_resolutions: [4], heads: 4, norm_groups: 8}
schedule: linear
variance: fixed_large
shape: [8, 8, 1]
"""


def before(prefix, state):
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


@pytest.fixture(scope="module")
def state():
    settings = Unet(16, (1, 2), 1, (4,), norm_groups=8)
    torch.manual_seed(0)
    return {
        name: torch.randn(tensor.shape) for name, tensor in settings.build((1, 8, 8), None, False).state_dict().items()
    }


@pytest.fixture
def imported(diffbench, tmp_path):
    """imported(weights) -> what a finished `diffbench import` made: the process, tensors by name, and which they are."""

    def made(held, *, suffix="pt", spec=SPEC):
        (tmp_path / "spec.yaml").write_text(spec)
        save_file(held, tmp_path / "theirs.safetensors") if suffix == "safetensors" else torch.save(
            held, tmp_path / f"theirs.{suffix}"
        )
        done = diffbench("import", f"theirs.{suffix}", "--spec", "spec.yaml", "--out", "own.safetensors", cwd=tmp_path)
        if done.returncode:
            return done, None, None
        weights = read_provenance(tmp_path / "own.safetensors")["spec"]["weights"]
        return done, read_state(tmp_path / "own.safetensors", weights), weights

    return made


WRAPPED = {
    "plain": (lambda raw, ema: raw, "raw"),
    "DistributedDataParallel": (lambda raw, ema: before("module.", raw), "raw"),
    "compiled and parallel": (lambda raw, ema: {"state_dict": before("module._orig_mod.", raw), "epoch": 3}, "raw"),
    "model beside its optimizer": (
        lambda raw, ema: {"model": raw, "optimizer": {"state": {0: {"m": ema["out.2.bias"]}}, "param_groups": []}},
        "raw",
    ),
    "a module of Lightning": (lambda raw, ema: {"state_dict": before("model.network.", raw), "hyper": {}}, "raw"),
    "an average alone": (lambda raw, ema: {"ema": raw, "step": 7}, "ema"),
    "half precision": (lambda raw, ema: {name: tensor.bfloat16() for name, tensor in raw.items()}, "raw"),
}


@pytest.mark.parametrize(("wrap", "weights"), WRAPPED.values(), ids=WRAPPED)
def test_wrappers_are_taken_off_and_no_last_weights_are_recorded_as_an_average(tmp_path, state, wrap, weights):
    ema = {name: 0.5 * tensor for name, tensor in state.items()}
    held = wrap(state, ema)
    torch.save(held, tmp_path / "theirs.pt")
    key, found = read_held(tmp_path / "theirs.pt")
    found = unwrapped(found, state.keys())
    assert found.keys() == state.keys() and weights_under(key) == weights
    tolerance = 0.02 if found["out.2.bias"].dtype == torch.bfloat16 else 0
    assert all(torch.allclose(found[name].float(), state[name], atol=tolerance, rtol=tolerance) for name in state)


def test_two_sets_of_weights_are_asked_about_and_either_can_be_had(imported, state):
    ema = {name: 0.5 * tensor for name, tensor in state.items()}
    nested = {"model": before("module.", state), "model_ema": ema, "step": 7}
    done, _, _ = imported(nested)
    assert done.returncode == 2 and "holds 2 maps of tensors; say which with 'key': model, model_ema" in done.stderr
    _, held, weights = imported(nested, spec=f"{SPEC}key: model_ema\n")
    assert weights == "ema" and torch.equal(held["out.2.bias"], ema["out.2.bias"])
    _, held, weights = imported(nested, spec=f"{SPEC}key: model\n")
    assert weights == "raw" and torch.equal(held["out.2.bias"], state["out.2.bias"])
    # The same in one map, as modules inside each other are saved.
    flat = before("model.", state) | before("ema.", ema)
    done, _, _ = imported(flat, suffix="safetensors")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "the file has 'ema.input_blocks.0.0.bias'" in done.stderr or "the file has 'model." in done.stderr
    assert "say which with 'key': " in done.stderr
    _, held, weights = imported(flat, suffix="safetensors", spec=f"{SPEC}key: ema\n")
    assert weights == "ema" and torch.equal(held["out.2.bias"], ema["out.2.bias"])


def test_names_that_are_there_stand_in_the_message(imported):
    done, _, _ = imported({f"x.{i}.w": torch.zeros(2) for i in range(5)})
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "the file has 'x.0.w', 'x.1.w', 'x.2.w', ..., the network 'time_embed.0.weight'" in done.stderr


def test_a_network_whose_own_names_begin_like_a_wrappers_keeps_them():
    own = {"module.weight": torch.zeros(1), "module.bias": torch.zeros(1)}
    assert unwrapped(own, own.keys()) == own
    assert unwrapped(before("module.", own), own.keys()) == own
    # What does not become the network's own is left for the message.
    assert unwrapped({"net.a": torch.zeros(1)}, ["b"]).keys() == {"net.a"}


WRONG_VALUES = {
    "whole numbers": (lambda tensor: tensor.to(torch.int64), "holds int64, and the network has torch.float32"),
    "truth values": (lambda tensor: tensor > 0, "holds bool"),
    "complex": (lambda tensor: tensor.to(torch.complex64), "holds complex64"),
    "nan": (lambda tensor: tensor * torch.nan, "entries that are not finite"),
    "infinite in float32": (lambda tensor: tensor.double() + 1e300, "entries that are not finite"),
    "four bits": (lambda tensor: torch.zeros(1, dtype=torch.uint8).view(torch.float4_e2m1fn_x2), "float4_e2m1fn_x2"),
    "sparse": (lambda tensor: tensor.to_sparse(), "is no plain tensor"),
    "meta": (lambda tensor: tensor.to("meta"), "is no plain tensor"),
    "another shape": (lambda tensor: tensor[:0], "is (0,) in the file and (1,) in the network"),
}


@pytest.mark.parametrize(("change", "message"), WRONG_VALUES.values(), ids=WRONG_VALUES)
def test_values_that_are_no_weights_are_one_line(tmp_path, state, change, message):
    spec = {
        "network": {"name": "unet", "channels": 16, "channel_multipliers": [1, 2], "residual_blocks": 1}
        | {"attention_resolutions": [4], "norm_groups": 8},
        "diffusion": {"timesteps": 10, "schedule": "linear", "variance": "fixed_large", "rescale_timesteps": False},
        "weights": "raw",
    }
    facts = WeightsFacts(shape=(8, 8, 1), num_classes=None, levels=17)
    held = state | {"out.2.bias": change(state["out.2.bias"])}
    torch.save(held, tmp_path / "theirs.pt")
    with pytest.raises(UserError) as caught:
        found = read_state(tmp_path / "theirs.pt")
        job, out = ConvertJob.read(spec), tmp_path / "own.safetensors"
        write_weights(job, found, tmp_path / "theirs.pt", out, inputs=NOTHING, facts=facts)
    said = str(caught.value)
    assert "\n" not in said and (message in said or "not a whole PyTorch file" in said or "wants to run" in said)
    assert not (tmp_path / "own.safetensors").exists()


def header(content, size=None, data=b""):
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


ENTRY = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
HOSTILE = {
    "safetensors": {
        "empty": b"",
        "huge header": header({}, size=2**63),
        "header behind the end": header({}, size=10**6),
        "not JSON": header(b"{"),
        "a list": header([]),
        "deep": header(b"[" * 100_000),
        "shape of two to the sixty": header({"a": ENTRY | {"shape": [2**60]}}, data=b"1234"),
        "shape that overflows": header({"a": ENTRY | {"shape": [2**40, 2**40]}}, data=b"1234"),
        "offsets behind the end": header({"a": ENTRY | {"data_offsets": [0, 2**40]}}, data=b"1234"),
        "offsets that go back": header({"a": ENTRY | {"data_offsets": [4, 0]}}, data=b"1234"),
        "shared bytes": header({"a": ENTRY, "b": ENTRY}, data=b"1234"),
        "unknown type": header({"a": ENTRY | {"dtype": "F5"}}, data=b"1234"),
        "no tensors": header({"__metadata__": {"a": "b"}}),
    },
    "pt": {
        "a frame longer than the file": bytes.fromhex("800495ffffffffffffff7f2e"),
        "old magic number alone": pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2),
        "an integer": pickle.dumps(1),
        "a text of four gigabytes": b"\x80\x04X\xff\xff\xff\xff",
        "memo of two to the thirty-one": b"\x80\x04Nr\xff\xff\xff\x7f.",
        "a zip of nothing": b"PK\x05\x06" + bytes(18),
    },
}


@pytest.mark.parametrize("suffix", HOSTILE)
def test_a_hostile_file_is_one_line(tmp_path, suffix):
    for name, content in HOSTILE[suffix].items():
        path = tmp_path / f"{name.replace(' ', '_')}.{suffix}"
        path.write_bytes(content)
        with pytest.raises(UserError) as caught:
            read_state(path)
        assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_a_compressed_zip_is_refused_before_it_is_unpacked(tmp_path):
    torch.save({"a": torch.zeros(2**22)}, tmp_path / "plain.pt")
    with zipfile.ZipFile(tmp_path / "plain.pt") as plain:
        with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as bomb:
            for item in plain.infolist():
                bomb.writestr(item.filename, plain.read(item))
    with pytest.raises(UserError, match="a compressed zip"):
        read_state(tmp_path / "bomb.pt")


@pytest.mark.parametrize("path", ["/dev/zero", ".", "none.pt"])
def test_what_is_no_file_is_one_line(path):
    with pytest.raises(UserError, match="not a file|cannot be read"):
        read_state(Path(path))


def saved(legacy):
    target = io.BytesIO()
    torch.save({"a": torch.arange(6.0), "b": {"c": torch.ones(2)}}, target, _use_new_zipfile_serialization=not legacy)
    return target.getvalue()


BYTES = {"zip.pt": saved(False), "legacy.pt": saved(True), "x.safetensors": save({"a": torch.arange(6.0)})}


@pytest.mark.parametrize("name", BYTES)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edits=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.none() | st.integers(0, 2**16),
)
@example(edits=[(1803, 2)], cut=None)  # The end of the archive names a second disk.
def test_bytes_that_were_changed_are_read_or_refused_in_one_line(tmp_path, name, edits, cut):
    content = bytearray(BYTES[name])
    for place, value in edits:
        content[place % len(content)] = value
    path = tmp_path / name
    path.write_bytes(bytes(content) if cut is None else bytes(content[: cut % len(content)]))
    try:
        read_held(path, None)
    except UserError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
