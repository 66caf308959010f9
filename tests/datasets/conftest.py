"""The place of the real data, and small replacements for them."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder with MNIST and CIFAR-10 as parquet, which only a full checkout has beside it."""
    folder = Path(__file__).parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} does not exist")
    return folder


def encoded(pixels: np.ndarray) -> bytes:
    """Return an image as PNG."""
    stream = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def write_parquet() -> Callable[..., None]:
    """Return a function that writes images in the Hugging Face layout."""

    def write(
        path: Path,
        pictures: list[bytes | None],
        labels: list[int],
        *,
        column: str = "image",
        bare: bool = False,
        rows: int | None = None,
    ):
        cells = pictures if bare else [{"bytes": data, "path": f"{i}.png"} for i, data in enumerate(pictures)]
        kind = pyarrow.binary() if bare else pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
        columns = {column: pyarrow.array(cells, kind), "label": pyarrow.array(labels, pyarrow.int64())}
        pyarrow.parquet.write_table(pyarrow.table(columns), path, row_group_size=rows)

    return write


@pytest.fixture
def mnist_like() -> np.ndarray:
    """Return five images of 28x28 with one channel."""
    return np.random.default_rng(0).integers(0, 256, (5, 28, 28, 1), np.uint8)


@pytest.fixture
def png() -> Callable[[np.ndarray], bytes]:
    """Return the function from pixels to a PNG file's bytes."""
    return encoded
