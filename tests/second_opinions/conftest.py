"""Real photographs, our features of them, and a table of how far peers are from us, printed at the end of
`pytest tests/second_opinions`.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@dataclass
class Agreement:
    """What was compared with whom, and how far apart the two were."""

    rows: list[tuple[str, str, float, float, str]] = field(default_factory=list)

    def near(self, quantity: str, peer: str, ours, theirs, limit: float, *, relative: bool = True, cause: str = ""):
        """Record the largest difference, and fail if it is above the limit."""
        ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        assert ours.shape == theirs.shape and np.isfinite(ours).all()
        difference = float(np.abs(ours - theirs).max())
        if relative:
            difference /= float(np.abs(theirs).max())
        self.rows.append((f"{quantity}, {'relative' if relative else 'absolute'}", peer, difference, limit, cause))
        assert difference <= limit, f"{quantity} against {peer}: {difference:.3g} > {limit:g}"


AGREEMENT = Agreement()


@pytest.fixture
def agreement() -> Agreement:
    return AGREEMENT


def pytest_terminal_summary(terminalreporter) -> None:
    if not AGREEMENT.rows:
        return
    terminalreporter.write_line("\n| quantity | against | largest difference | limit | cause |\n|---|---|---|---|---|")
    for quantity, peer, difference, limit, cause in AGREEMENT.rows:
        terminalreporter.write_line(f"| {quantity} | {peer} | {difference:.1e} | {limit:.0e} | {cause} |")


def crops(count: int, size: int, seed: int) -> np.ndarray:
    """Return crops of scikit-learn's two photographs, half of them of each, shrunk from four times their size."""
    from sklearn.datasets import load_sample_images

    draws, photographs = np.random.default_rng(seed), load_sample_images().images
    found = []
    for i in range(count):
        photograph = photographs[i % 2]
        top, left = (int(draws.integers(0, extent - 4 * size)) for extent in photograph.shape[:2])
        crop = photograph[top : top + 4 * size, left : left + 4 * size]
        found.append(np.asarray(Image.fromarray(crop).resize((size, size), Image.Resampling.BOX)))
    return np.stack(found)


@pytest.fixture(scope="session", params=[32, pytest.param(64, marks=pytest.mark.slow)], ids=lambda size: f"{size}px")
def photos(request) -> np.ndarray:
    """Six real images, uint8."""
    return crops(6, request.param, seed=request.param)


@pytest.fixture(scope="session")
def ours(photos, inception_weights):
    """Our features of the photographs, by resize."""
    from diffbench.extractors.inception import Inception

    return {
        resize: Inception(path=str(inception_weights), micro_batch=6, resize=resize).network()(photos)
        for resize in ("tf1", "clean", "pytorch")
    }


@pytest.fixture
def files(photos, tmp_path) -> Path:
    """A folder of the photographs as PNG files, in order."""
    for i, photo in enumerate(photos):
        Image.fromarray(photo).save(tmp_path / f"{i:03d}.png")
    return tmp_path


def feature_sets(seed: int, n: int, m: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return generated and reference features that look like a network's: nonnegative, a decaying spectrum."""
    draws = np.random.default_rng(seed)
    rotation = np.linalg.qr(draws.standard_normal((d, d)))[0]
    scale = np.exp(-4 * np.arange(d) / d)
    x, y = (np.maximum(0, (draws.standard_normal((count, d)) * scale) @ rotation + 0.2) for count in (n, m))
    return (x + 0.05).astype(np.float32).astype(np.float64), y.astype(np.float32).astype(np.float64)
