"""Sets of images (pictures in a folder or archive, data sets by name) as the `.npz` files that stages read."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diffbench.base import plugins
from diffbench.base.arrays import writing_npz
from diffbench.base.digests import digest
from diffbench.base.errors import UserError
from diffbench.base.inputs import checked, require_files
from diffbench.base.plugins import nearest
from diffbench.base.progress import progress
from diffbench.base.provenance import write_provenance
from diffbench.benchmark import jobs, paths
from diffbench.benchmark.codehash import code_hash
from diffbench.benchmark.places import home_of
from diffbench.commands.data_option import data_entry
from diffbench.commands.measure.cached import whole
from diffbench.commands.measure.ruler import Ruler
from diffbench.datasets._decode import require_shape
from diffbench.datasets._pictures import SUFFIXES, PictureTree
from diffbench.jobs.dataset import DatasetPart
from diffbench.jobs.prepare import PrepareJob
from diffbench.protocols._contract import ARRAYS
from diffbench.stages._image_file import image_set
from diffbench.stages._mixed_sizes import write_mixed
from diffbench.stages.prepare import prepare

PATIENCE = 3.0
"""The seconds after which work on pictures shows its progress."""


@dataclass(frozen=True)
class Wanted:
    """The images that an extractor takes. channels: 1 or 3 if only those. any_size: whether sizes may differ."""

    channels: int | None = None
    any_size: bool = False


@dataclass(frozen=True)
class Images:
    """A file of images. read: a description of what was read to make it."""

    file: Path
    read: str


@dataclass(frozen=True)
class _Seen:
    """What is known of pictures. digest: of their names and bytes. coloured: the number that have colours."""

    digest: str
    sizes: tuple[tuple[int, int], ...]
    coloured: int


def image_file(path: Path, cache: Path, wanted: Wanted) -> Images:
    """Return an `.npz` of the images at a path: the file itself, or one made of pictures in the order of their names.

    path: an `.npz` or `.npy`, or a folder or zip archive of pictures. If one picture has colours, grey ones become
    colour images too. Colours are reduced to their luma only for an extractor that takes only grey images.
    Raises: UserError naming the picture that does not fit.
    """
    suffix = path.suffix.lower()
    if path.is_dir() or suffix == ".zip":
        return _packed(PictureTree(path), path, cache, wanted)
    require_files([path])
    if suffix not in ARRAYS:
        raise UserError(f"{path}: neither an .npz or .npy of images, nor a folder or a .zip of pictures")
    return Images(path, str(path))


def _packed(tree: PictureTree, path: Path, cache: Path, wanted: Wanted) -> Images:
    """Return a file of the cache with the pictures of a tree, named by the hash of their names and bytes."""
    names = tree.pictures
    if not names:
        raise UserError(f"{path}: no pictures below it (looked for {', '.join(SUFFIXES)})")
    seen = _seen(tree, names, wanted)
    channels = wanted.channels or (3 if seen.coloured else 1)
    said = f"{path}: {tree.summary()}"
    if channels == 1 and seen.coloured:
        said += f"; {seen.coloured} in colour, reduced to their luma, for the extractor takes grey only"
    code = code_hash(["diffbench.datasets._pictures", "diffbench.stages._mixed_sizes"])
    packed = cache / "pictures" / f"{digest([seen.digest, channels, code])[:24]}.npz"
    found = whole(packed)
    if found is None or found["facts"].get("read") != seen.digest:
        if len(set(seen.sizes)) > 1:
            sizes = [(*size, channels) for size in seen.sizes]
            write_mixed(packed, sizes, (tree.picture(name, channels, None) for name in names))
        else:
            with (
                writing_npz(packed) as writer,
                writer.member("arr_0", (len(names), *seen.sizes[0], channels), np.uint8) as images,
            ):
                with progress(len(names), f"pack {path.name}", unit="picture", delay=PATIENCE) as bar:
                    for chunk in tree.chunks(names, channels, None):
                        images.write(chunk)
                        bar.update(len(chunk))
        if _seen(tree, names, wanted).digest != seen.digest:
            packed.unlink()
            raise UserError(
                f"{path}: its pictures changed while they were read; measure again once nothing writes them"
            )
        facts = {"pictures": len(names), "read": seen.digest}
        write_provenance(packed, spec={"channels": channels, "code": code}, facts=facts)
    return Images(packed, said)


def _seen(tree: PictureTree, names: list[str], wanted: Wanted) -> _Seen:
    total, sizes, coloured = hashlib.sha256(), [], 0
    for name in _watched(names, f"read {tree.root}"):
        content, header = tree.header(name)
        sizes.append((header.height, header.width))
        if not wanted.any_size:
            _require_one_size((*sizes[-1], 3), (*sizes[0], 3), tree.where(name), tree.where(names[0]))
        coloured += not header.grey
        # On disk a name consists of bytes in any encoding.
        total.update(name.encode(errors="surrogateescape") + f"\0{len(content)}\0".encode() + content)
    return _Seen(total.hexdigest(), tuple(sizes), coloured)


def _watched(names: list[str], what: str) -> Iterator[str]:
    """Yield the names, and show on stderr how many are done if that takes long."""
    with progress(len(names), what, unit="picture", delay=PATIENCE) as bar:
        for name in names:
            yield name
            bar.update()


def _require_one_size(found: tuple[int, ...], first: tuple[int, ...], where: str, first_where: str) -> None:
    try:
        require_shape(found, first, where, f"{first_where} is")
    except UserError as error:
        raise UserError(f"{error}, but under a protocol that resizes each by itself, as clean_fid does") from None


def reference_images(
    text: str | None, ruler: Ruler, data: Path | None, split: str | None, cache: Path, wanted: Wanted
) -> tuple[Images, str]:
    """Return the reference that a text names, and its name in a protocol; without a text, that of a benchmark.

    The arguments are those of `reference_file` and `reference_of_benchmark`. Raises: UserError.
    """
    if text is None:
        return reference_of_benchmark(ruler, data, split, cache, wanted)
    return reference_file(text, data, split, cache, wanted)


def reference_file(
    text: str,
    data: Path | None,
    split: str | None,
    cache: Path,
    wanted: Wanted,
    option: str = "--reference",
) -> tuple[Images, str]:
    """Return an `.npz` of the reference that a text names, and its name in a protocol: its path, train or test.

    text: a path as for `image_file`, or a data set with its options: `digits`, `mnist:data/mnist`,
    `folder:photos size=64`. data: the data set's path, if the text does not have it. split: the data set's split; None
    means train. option: the one that had the text, for messages. Raises: UserError.
    """
    known = plugins.names("datasets")
    word = (text.split() or [""])[0].partition(":")[0]
    if word not in known:
        path = Path(text)
        if not path.exists() and path.suffix.lower() not in ARRAYS:
            kinds = "neither an .npz, a folder or a zip of pictures, nor a data set"
            raise UserError(f"{option} {text}: {kinds}; {nearest(word, known)}")
        if data is not None:
            raise UserError(f"--data: goes with a data set's name as {option}, and {text} is a file or folder")
        if split is not None:
            raise UserError(f"--split: goes with a data set's name as {option}, and {text} is a file or folder")
        found = image_file(path, cache, wanted)
        return found, str(found.file)
    split = split or "train"
    _require_split(split)
    folder = _prepared(DatasetPart.read(_data_set(text, data, option), option), cache)
    return Images(folder / f"{split}.npz", f"split {split} of {text}"), split


def reference_of_benchmark(
    ruler: Ruler, data: Path | None, split: str | None, cache: Path, wanted: Wanted
) -> tuple[Images, str]:
    """Return the reference of a benchmark's own protocol, and its name in the protocol, as `reference_file`.

    split: another split than the protocol's. Raises: UserError if the protocol is not a benchmark's.
    """
    benchmark, own = ruler.benchmark, ruler.protocol
    if benchmark is None:
        raise UserError(
            "--reference: say what the samples are compared with: an .npz or a folder of images, or a data set such as "
            "digits, mnist:PATH, cifar10:PATH (only --protocol FILE.yaml:NAME has a reference of its own)"
        )
    if own.reference_file is not None:
        if data is not None or split is not None:
            raise UserError(f"--split, --data: the reference of {ruler.called} is the file {own.reference}")
        return image_file(own.reference_file, cache, wanted), own.reference
    split = split or own.reference
    _require_split(split)
    part = jobs.prepare_job(benchmark).dataset
    file = home_of(benchmark.name) / paths.data(split)
    if data is None and _is_of(file, part):
        return Images(file, f"split {split} of {benchmark.name} ({file})"), split
    found = DatasetPart.of(benchmark.dataset, benchmark.dataset_name)
    prepared = _prepared(found if data is None else found.at(data), cache)
    return Images(prepared / f"{split}.npz", f"split {split} of {benchmark.name}"), split


def held_out_file(text: str, cache: Path, wanted: Wanted) -> Images:
    """Return an `.npz` of the held-out images that a text names; of a data set, it is the test split."""
    is_name = (text.split() or [""])[0].partition(":")[0] in plugins.names("datasets")
    return reference_file(text, None, "test" if is_name else None, cache, wanted, "--held-out")[0]


def other_split(split: str) -> str:
    """Return the split that is held out if the reference is `split`."""
    return "train" if split == "test" else "test"


def _is_of(file: Path, dataset: DatasetPart) -> bool:
    """Return whether a file is a benchmark's undamaged data, prepared from the data set that its YAML names."""
    try:
        return checked({"data": file}).records["data"]["spec"].get("dataset") == dataset.plain()
    except UserError:
        return False


def _require_split(split: str) -> None:
    if split not in ("train", "test"):
        raise UserError(f"--split {split}: is not allowed; allowed: train, test")


def _prepared(part: DatasetPart, cache: Path) -> Path:
    """Return a folder with both splits of a data set, prepared as the workflow prepares it."""
    job = PrepareJob(dataset=part)
    folder = cache / "references" / digest(job.as_json())[:24]
    # The files are written each time, since the data may have changed. This takes little time beside the extraction.
    prepare(job, out_train=folder / "train.npz", out_test=folder / "test.npz")
    return folder


def _data_set(text: str, data: Path | None, option: str) -> dict[str, Any]:
    entry = data_entry(text, option, data)
    options = {key: value for key, value in entry.items() if key != "name"}
    plugins.configure(plugins.load("datasets", entry["name"]), options, f"{option} {entry['name']}")
    return entry


def channels_of(images: Path) -> int:
    """Return the number of channels of a file's images. Raises: UserError if it has no images."""
    return image_set(images).channels
