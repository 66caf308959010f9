"""The graph of the workflow: its boxes, its arrows, and where they are."""

import re

from diffbench.page.contents import File
from diffbench.page.flow import BOX, flow


def files(*made):
    """Files of (stage, numbers of its sources)."""
    return [
        File(f"f{at}", stage, "", "", inputs=tuple((str(n), n) for n in sources))
        for at, (stage, sources) in enumerate(made)
    ]


CHAIN = files(
    ("prepare", ()),
    ("train", (0,)),
    ("train", (0,)),
    ("sample", (1,)),
    ("extract", (3,)),
    ("extract", (0,)),
    ("score", (4, 5)),
)


def test_a_box_counts_its_files_and_an_arrow_follows_their_sources():
    drawn = flow(CHAIN)
    assert {box.stage: box.count for box in drawn.boxes} == {
        "prepare": 1,
        "train": 2,
        "sample": 1,
        "extract": 2,
        "score": 1,
    }
    assert {(arrow.source, arrow.target) for arrow in drawn.arrows} == {
        ("prepare", "train"), ("train", "sample"), ("sample", "extract"), ("prepare", "extract"), ("extract", "score")
    }  # fmt: skip


def test_arrows_go_to_the_right_and_no_box_is_on_another_or_outside():
    drawn = flow(CHAIN)
    place = {box.stage: box for box in drawn.boxes}
    assert all(place[arrow.source].x + BOX[0] < place[arrow.target].x for arrow in drawn.arrows)
    corners = [(box.x, box.y) for box in drawn.boxes]
    assert len(set(corners)) == len(corners)
    assert all(0 < x <= drawn.width - BOX[0] and 0 < y <= drawn.height - BOX[1] for x, y in corners)


def test_an_arrow_that_passes_a_column_passes_beside_its_boxes():
    drawn = flow(CHAIN)
    passing = next(arrow for arrow in drawn.arrows if (arrow.source, arrow.target) == ("prepare", "extract"))
    heights = [float(y) for y in re.findall(r" (-?[\d.]+) H", passing.path)]
    boxes = [box for box in drawn.boxes if box.stage in ("train", "sample")]
    assert len(heights) == 2
    assert all(not box.y <= y <= box.y + BOX[1] for box in boxes for y in heights)


def test_arrows_of_one_stage_share_a_lane():
    many = files(("prepare", ()), ("train", (0,)), ("sample", (0, 1)), ("extract", (0, 2)))
    lanes = {
        path.partition(" C")[0]: path
        for path in (arrow.path for arrow in flow(many).arrows if arrow.source == "prepare")
    }
    heights = {re.search(r" (-?[\d.]+) H", path)[1] for path in lanes.values() if "H" in path}
    assert len(heights) == 1


def test_sources_of_unknown_files_stages_in_a_circle_and_no_files_at_all_are_drawn():
    foreign = [File("a", "score", "", "", inputs=(("features", "0123"),))]
    assert not flow(foreign).arrows and flow(foreign).boxes[0].count == 1
    circle = files(("prepare", (1,)), ("shrink", (0,)))
    assert {box.stage for box in flow(circle).boxes} == {"prepare", "shrink"}
    assert flow([]).boxes == ()
