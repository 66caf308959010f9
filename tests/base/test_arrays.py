"""`.npz` files: stored ones are mapped, compressed ones streamed, damaged ones refused; a second write gives equal bytes."""

import os
import struct
import tracemalloc
import warnings
import zipfile
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diffbench.base.arrays import (
    Header,
    load_member,
    member_names,
    read_header,
    read_member,
    save_npz,
    stream_member,
    writing_npz,
)
from diffbench.base.digests import sha256
from diffbench.base.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 4, 6, 3), dtype=np.uint8)
LABELS = np.arange(50)


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "stored.npz"
    save_npz(path, {"arr_1": LABELS, "arr_0": IMAGES})
    return path


def test_stored_members_are_mapped_read_only_at_their_offset(stored):
    for name, array in (("arr_0", IMAGES), ("arr_1", LABELS)):
        mapped = read_member(stored, name)
        assert isinstance(mapped, np.memmap) and not mapped.flags.writeable and mapped.offset > 0
        assert mapped.dtype == array.dtype and np.array_equal(mapped, array)
    # The file behind the mapping is the one that is read: a byte changed later shows.
    mapped = read_member(stored, "arr_0")
    with open(stored, "r+b") as file:
        file.seek(mapped.offset)
        file.write(bytes([IMAGES[0, 0, 0, 0] ^ 0xFF]))
    assert mapped[0, 0, 0, 0] == IMAGES[0, 0, 0, 0] ^ 0xFF


def test_numpy_and_this_module_read_each_other(stored, tmp_path):
    with np.load(stored) as arrays:
        assert np.array_equal(arrays["arr_0"], IMAGES) and np.array_equal(arrays["arr_1"], LABELS)
    for save in (np.savez, np.savez_compressed):
        path = tmp_path / f"{save.__name__}.npz"
        save(path, fortran=np.asfortranarray(IMAGES), scalar=np.float64(2.5), none=np.zeros((0, 3)), text="a")
        assert member_names(path) == ["fortran", "scalar", "none", "text"]
        assert np.array_equal(read_member(path, "fortran"), IMAGES)
        assert read_member(path, "scalar")[()] == 2.5 and read_member(path, "none").shape == (0, 3)
        assert str(read_member(path, "text")[()]) == "a"


@pytest.mark.parametrize("chunk", [1, 7, 50, 64])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_streaming_gives_the_array_in_pieces(tmp_path, save, chunk):
    save(tmp_path / "a.npz", arr_0=IMAGES)
    pieces = list(stream_member(tmp_path / "a.npz", "arr_0", chunk))
    assert [len(piece) for piece in pieces] == [min(chunk, 50 - start) for start in range(0, 50, chunk)]
    assert np.array_equal(np.concatenate(pieces), IMAGES)


def test_compressed_members_are_not_mapped(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", arr_0=IMAGES)
    found = read_member(tmp_path / "a.npz", "arr_0")
    assert not isinstance(found, np.memmap) and np.array_equal(found, IMAGES)


def test_writing_again_in_other_pieces_gives_equal_bytes(stored, tmp_path):
    with writing_npz(tmp_path / "pieces.npz") as writer:
        writer.add("arr_1", LABELS)
        with writer.member("arr_0", IMAGES.shape, np.uint8) as member:
            for start in range(0, 50, 9):
                member.write(IMAGES[start : start + 9])
    assert sha256(tmp_path / "pieces.npz") == sha256(stored)


@pytest.mark.parametrize(
    "pieces", [[IMAGES[:49]], [IMAGES, IMAGES[:1]], [IMAGES.astype(np.int16)], [IMAGES[:, :, :, :1]]]
)
def test_pieces_that_do_not_add_up_leave_no_file(tmp_path, pieces):
    with (
        pytest.raises(ValueError, match=r"off by|piece is"),
        writing_npz(tmp_path / "a.npz") as writer,
        writer.member("arr_0", IMAGES.shape, np.uint8) as member,
    ):
        for piece in pieces:
            member.write(piece)
    assert list(tmp_path.iterdir()) == []


def one_line(call, path):
    with pytest.raises(UserError) as caught:
        call()
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


def test_missing_file_and_missing_array(stored, tmp_path):
    assert "no such file" in one_line(lambda: read_member(tmp_path / "no.npz", "arr_0"), tmp_path / "no.npz")
    assert "it holds arr_0, arr_1" in one_line(lambda: read_member(stored, "arr_2"), stored)


@pytest.mark.parametrize("length", [0, 1, 100, -1, -60])
def test_truncated_files_are_one_line(stored, length):
    content = stored.read_bytes()
    stored.write_bytes(content[:length])
    for call in (member_names, lambda path: read_member(path, "arr_0")):
        one_line(lambda call=call: call(stored), stored)


@pytest.mark.parametrize("name", ["arr_0", "arr_1"])
def test_a_damaged_header_is_one_line(stored, name):
    content = bytearray(stored.read_bytes())
    content[content.index(b"\x93NUMPY", content.index(name.encode())) + 1] ^= 1
    stored.write_bytes(content)
    one_line(lambda: read_member(stored, name), stored)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_data_is_one_line_when_streamed(tmp_path, save):
    path = tmp_path / "a.npz"
    save(path, arr_0=IMAGES)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    one_line(lambda: list(stream_member(path, "arr_0", 7)), path)


def test_pickled_objects_are_never_loaded(tmp_path):
    np.savez(tmp_path / "a.npz", arr_0=np.array([{}], dtype=object))
    assert "never loaded" in one_line(lambda: read_member(tmp_path / "a.npz", "arr_0"), tmp_path / "a.npz")


def test_fortran_order_cannot_be_streamed(tmp_path):
    np.savez(tmp_path / "a.npz", arr_0=np.asfortranarray(IMAGES))
    assert "C order" in one_line(lambda: list(stream_member(tmp_path / "a.npz", "arr_0", 7)), tmp_path / "a.npz")


def test_headers_are_read_without_the_array(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", arr_0=np.zeros((3000, 64, 64, 3), np.uint8), one=np.float32(1))
    tracemalloc.start()
    assert read_header(tmp_path / "a.npz", "arr_0") == Header((3000, 64, 64, 3), np.dtype(np.uint8))
    assert read_header(tmp_path / "a.npz", "one").shape == ()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_a_plain_npy_is_a_file_of_one_array(tmp_path):
    path = tmp_path / "images.npy"
    np.save(path, IMAGES)
    assert member_names(path) == ["arr_0"] and np.array_equal(read_member(path, "arr_0"), IMAGES)
    assert isinstance(read_member(path, "arr_0"), np.memmap)
    assert np.array_equal(np.concatenate(list(stream_member(path, "arr_0", 7))), IMAGES)
    assert np.array_equal(load_member(path, "arr_0"), IMAGES)
    assert "a plain .npy holds one, arr_0" in one_line(lambda: read_member(path, "arr_1"), path)
    path.write_bytes(path.read_bytes()[:-1])
    assert "cut off" in one_line(lambda: read_member(path, "arr_0"), path)


@pytest.mark.parametrize("order", ["little", "big"])
def test_byte_orders_and_fortran_order_keep_their_values(tmp_path, order):
    array = np.arange(60, dtype=np.dtype(np.int32).newbyteorder("<" if order == "little" else ">")).reshape(5, 12)
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", c=array, f=np.asfortranarray(array))
        for name in ("c", "f"):
            assert np.array_equal(read_member(tmp_path / "a.npz", name), array)
            assert np.array_equal(load_member(tmp_path / "a.npz", name), array)
        assert np.array_equal(np.concatenate(list(stream_member(tmp_path / "a.npz", "c", 2))), array)


PIXELS = IMAGES.tobytes()


def npy(shape=(50, 4, 6, 3), descr="'|u1'", data=PIXELS, length=None, text=None):
    """The bytes of a `.npy` whose header says what it is told to."""
    text = text or f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape!r}, }}"
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(text) if length is None else length) + text.encode() + data


HOSTILE = {
    "shape of 1e18": (npy((10**18,)), "holds 3600 bytes"),
    "shape of 5000 digits": (npy(text="{'descr': '|u1', 'fortran_order': False, 'shape': (" + "9" * 5000 + ",)}"), ""),
    "negative shape": (npy((-1, 4, 6, 3)), "no array of numbers"),
    "shape too small": (npy((49, 4, 6, 3)), "by its header"),
    "shape too large": (npy((51, 4, 6, 3)), "cut off"),
    "shape of floats": (npy((50.0,)), "damaged"),
    "header of 4 GB": (npy(length=2**32 - 1), "which no array needs"),
    "header longer than the file": (npy(length=9_000), "damaged"),
    "deep header": (npy(text="{'descr': " + "(" * 2000 + ")" * 2000 + "}"), "damaged"),
    "deep minus": (npy(text="-" * 9000 + "1"), "damaged"),
    "objects": (npy(descr="'|O'"), "never loaded"),
    "objects in fields": (npy(descr="[('a', '|O')]"), "never loaded"),
    "fields": (npy((3600,), descr="[('a', '|u1')]"), "no array of numbers"),
    "no such type": (npy(descr="'hello'"), "damaged"),
    "version 9": (b"\x93NUMPY\x09\x00" + npy()[8:], "is not known"),
    "no header": (b"\x93NUMPY", "damaged"),
    "empty": (b"", "damaged"),
}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_headers_are_one_line_at_once(tmp_path, case, method):
    content, said = HOSTILE[case]
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("arr_0.npy", content)
    tracemalloc.start()
    for call in (read_header, read_member, load_member, lambda *given: list(stream_member(*given, 7))):
        assert said in one_line(lambda call=call: call(path, "arr_0"), path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 2**20


def test_sizes_that_the_archive_cannot_bear_out_are_refused(tmp_path):
    path = tmp_path / "bomb.npz"
    content = npy((2**40,), data=b"")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("arr_0.npy", content)
    # The archive agrees with the header; only its own length does not.
    size = struct.pack("<L", len(content))
    path.write_bytes(path.read_bytes().replace(size, struct.pack("<L", 2**32 - 2)))
    assert "cannot be 4294967294 bytes long" in one_line(lambda: read_header(path, "arr_0"), path)


def test_two_arrays_of_one_name_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("arr_0.npy", npy())
        archive.writestr("arr_0.npy", npy(data=IMAGES[::-1].tobytes()))
    assert "2 arrays are named 'arr_0'" in one_line(lambda: read_member(path, "arr_0"), path)


def test_encrypted_members_and_other_compressions_are_one_line(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("arr_0.npy", npy())
    assert "save it by np.savez" in one_line(lambda: read_member(path, "arr_0"), path)
    np.savez(path, arr_0=IMAGES)
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    path.write_bytes(content)
    assert "encrypted" in one_line(lambda: read_member(path, "arr_0"), path)


def test_what_an_archive_holds_instead_is_said_in_a_few_words(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for k in range(5000):
            archive.writestr(f"{k:04d}.png", b"")
    assert member_names(path) == []
    said = one_line(lambda: read_member(path, "arr_0"), path)
    assert "it holds no arrays but 0000.png, " in said and "and 4994 more" in said and len(said) < 300


def test_one_flipped_bit_is_found_by_the_archives_checksum(stored):
    content = bytearray(stored.read_bytes())
    content[content.index(IMAGES.tobytes()) + 1234] ^= 4
    stored.write_bytes(content)
    for call in (load_member, lambda *given: list(stream_member(*given, 7))):
        assert "damaged" in one_line(lambda call=call: call(stored, "arr_0"), stored)


def test_pipes_and_folders_do_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    assert "no such file" in one_line(lambda: member_names(tmp_path / "pipe.npz"), tmp_path / "pipe.npz")
    assert "a folder" in one_line(lambda: read_header(tmp_path, "arr_0"), tmp_path)


def valid_files(folder):
    few = IMAGES[:3]
    np.savez(folder / "stored.npz", arr_0=few, arr_1=np.arange(3))
    np.savez_compressed(folder / "compressed.npz", arr_0=few)
    np.save(folder / "plain.npy", few)
    return [path.read_bytes() for path in sorted(folder.iterdir())]


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_damaged_file_is_more_than_one_line(tmp_path_factory, data):
    """Bytes changed, cut out, put in or cut off anywhere: an array, or one line."""
    folder = tmp_path_factory.mktemp("fuzz")
    content = bytearray(data.draw(st.sampled_from(valid_files(folder))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(content) - 1)))
        piece = data.draw(st.binary(max_size=6))
        match data.draw(st.sampled_from(["change", "insert", "remove", "cut"])):
            case "change":
                content[at : at + len(piece)] = piece
            case "insert":
                content[at:at] = piece
            case "remove":
                del content[at : at + len(piece) + 1]
            case "cut":
                del content[at:]
    path = folder / "fuzzed.npz"
    path.write_bytes(content)
    for call in (
        member_names,
        *(partial(read, name=name) for read in (read_header, read_member, load_member) for name in ("arr_0", "arr_1")),
        lambda path: list(stream_member(path, "arr_0", 2)),
    ):
        try:
            call(path)
        except UserError as error:
            assert "\n" not in str(error) and len(str(error)) < 600
