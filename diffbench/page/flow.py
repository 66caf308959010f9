"""The graph of the workflow: a box for each stage with the number of its files, and arrows along which files go."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from diffbench.page.contents import File

BOX = 104, 50
"""The width and height of a box."""

BETWEEN = 46, 26
"""The space between two columns and between two boxes of a column."""

MARGIN = 10

Edges = Mapping[str, set[str]]
"""The stages from which each stage takes files."""


@dataclass(frozen=True)
class Box:
    """A stage. x, y: its upper left corner."""

    stage: str
    count: int
    x: float
    y: float


@dataclass(frozen=True)
class Arrow:
    """An arrow from a stage to one that uses its files. path: in the language of SVG."""

    source: str
    target: str
    path: str


@dataclass(frozen=True)
class Flow:
    """The drawing, with its size."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    width: float
    height: float


def flow(files: Sequence[File]) -> Flow:
    """Return the drawing of the stages that made some files, from left to right."""
    counts = Counter(file.stage for file in files)
    edges: dict[str, set[str]] = {stage: set() for stage in counts}
    for file in files:
        found = {files[source].stage for _, source in file.inputs if isinstance(source, int)}
        edges[file.stage] |= found - {file.stage}
    layers = _layers(edges)
    chains = [_chain(source, target, layers) for target in edges for source in sorted(edges[target])]
    columns = _ordered(layers, chains)
    places = _places(columns)
    boxes = tuple(Box(stage, counts[stage], *places[stage, layers[stage]]) for stage in counts)
    arrows = tuple(Arrow(chain[0][0], chain[-1][0], _path([places[node] for node in chain])) for chain in chains)
    width = 2 * MARGIN + len(columns) * (BOX[0] + BETWEEN[0]) - BETWEEN[0]
    height = max((y for _, y in places.values()), default=0) + BOX[1] + MARGIN
    return Flow(boxes, arrows, width, height)


Node = tuple[str, int]
"""A stage in its column, or the name of an arrow in a column that it passes."""


def _layers(edges: Edges) -> dict[str, int]:
    """Return the column of each stage: one more than the last of its sources. A circle of stages is cut."""
    found: dict[str, int] = {}

    def layer(stage: str, above: frozenset[str]) -> int:
        if stage not in found:
            below = [layer(source, above | {stage}) for source in sorted(edges[stage] - above)]
            found[stage] = 1 + max(below, default=-1)
        return found[stage]

    for stage in edges:
        layer(stage, frozenset())
    return found


def _chain(source: str, target: str, layers: Mapping[str, int]) -> list[Node]:
    """Return the places of an arrow: its ends, and a free place in each column between them."""
    passed = range(layers[source] + 1, layers[target])
    return [(source, layers[source]), *((f"{source} {target}", at) for at in passed), (target, layers[target])]


def _ordered(layers: Mapping[str, int], chains: Sequence[Sequence[Node]]) -> list[list[Node]]:
    """Return the nodes of each column, ordered so that few arrows cross."""
    nodes = dict.fromkeys(
        [*((stage, at) for stage, at in layers.items()), *(node for chain in chains for node in chain)]
    )
    columns: list[list[Node]] = [[] for _ in range(1 + max(layers.values(), default=-1))]
    for node in nodes:
        columns[node[1]].append(node)
    before: dict[Node, list[Node]] = {node: [] for node in nodes}
    for chain in chains:
        for first, second in zip(chain, chain[1:], strict=False):
            before[second].append(first)
    height: dict[Node, float] = {}
    for column in columns:
        middle = {node: sum(height.get(one, 0) for one in before[node]) / max(1, len(before[node])) for node in column}
        column.sort(key=lambda node: (middle[node], node[0] not in layers))
        # The middle of each column is at height 0.
        height |= {node: place - (len(column) - 1) / 2 for place, node in enumerate(column)}
    return columns


def _places(columns: Sequence[Sequence[Node]]) -> dict[Node, tuple[float, float]]:
    tallest = max(map(len, columns), default=1)
    places = {}
    for at, column in enumerate(columns):
        first = (tallest - len(column)) / 2
        for place, node in enumerate(column):
            places[node] = (MARGIN + at * (BOX[0] + BETWEEN[0]), MARGIN + (first + place) * (BOX[1] + BETWEEN[1]))
    return places


def _path(corners: Sequence[tuple[float, float]]) -> str:
    """Return a curve from the right of the first box to the left of the last, level where it passes a column."""
    (x, y), *rest = corners
    x, y = x + BOX[0], y + BOX[1] / 2
    words = [f"M{x:g} {y:g}"]
    for place, (left, top) in enumerate(rest):
        middle, bend = top + BOX[1] / 2, BETWEEN[0] / 2
        words.append(f"C{x + bend:g} {y:g} {left - bend:g} {middle:g} {left:g} {middle:g}")
        x, y = left, middle
        if place < len(rest) - 1:
            x = left + BOX[0]
            words.append(f"H{x:g}")
    return " ".join(words)
