"""What every figure must keep, for each file in the folder: it draws, and the same bytes each time."""

import matplotlib
import pytest
from PIL import Image

from diffbench.base import plugins
from diffbench.figures._style import save_png


@pytest.mark.parametrize("name", plugins.names("figures"))
def test_draws_the_same_bytes_whatever_matplotlib_is_set_to(name, request, tmp_path):
    figure = plugins.configure(plugins.load("figures", name), {}, name)
    tables = {"guidance_tradeoff": "guided_table", "differences": "differences", "published": "published"}
    data = request.getfixturevalue(tables.get(name, figure.consumes))
    save_png(figure(data), tmp_path / "a.png")
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.dpi": 31}):
        save_png(figure(data), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width >= 800
        assert not {"Software", "Creation Time", "date:create"} & set(picture.info)
