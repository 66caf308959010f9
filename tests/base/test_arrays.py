"""`.npz` files: mapped where stored, streamed where compressed, refused where damaged, equal bytes when written again."""

import numpy as np
import pytest

from diffbench.base.arrays import member_names, read_member, save_npz, stream_member, writing_npz
from diffbench.base.artifacts import sha256
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
