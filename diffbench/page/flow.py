"""The graph of the workflow: a box for each stage with the number of its files, and arrows along which files go."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from diffbench.page.contents import File

BOX = 92, 48
"""The width and height of a box."""

BETWEEN = 42, 18
"""The space between two columns and between what is in one column."""

LANE = 4
"""The height that arrows take in a column that they pass. Those from one stage share it."""

MARGIN = 8

Edges = Mapping[str, set[str]]
"""The stages from which each stage takes files."""

Layers = Mapping[str, int]
"""The column of each stage."""

Node = tuple[str, int]
"""A stage in a column: its box in its own, and the lane of its arrows in a column that they pass."""


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
    places = _places(columns, layers)
    boxes = tuple(_box(stage, counts[stage], places[stage, layers[stage]]) for stage in counts)
    arrows = tuple(Arrow(chain[0][0], chain[-1][0], _path([places[node] for node in chain])) for chain in chains)
    width = 2 * MARGIN + max(0, len(columns) * (BOX[0] + BETWEEN[0]) - BETWEEN[0])
    height = 2 * MARGIN + max((_height(column, layers) for column in columns), default=0)
    return Flow(boxes, arrows, width, height)


def _box(stage: str, count: int, place: tuple[float, float]) -> Box:
    x, middle = place
    return Box(stage, count, x, middle - BOX[1] / 2)


def _layers(edges: Edges) -> Layers:
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


def _chain(source: str, target: str, layers: Layers) -> list[Node]:
    """Return the nodes of an arrow: its ends, and the lane of its stage in each column between them."""
    passed = range(layers[source] + 1, layers[target])
    return [(source, layers[source]), *((source, at) for at in passed), (target, layers[target])]


def _ordered(layers: Layers, chains: Sequence[Sequence[Node]]) -> list[list[Node]]:
    """Return the nodes of each column, ordered so that few arrows cross."""
    nodes = dict.fromkeys([*layers.items(), *(node for chain in chains for node in chain)])
    columns: list[list[Node]] = [[] for _ in range(1 + max(layers.values(), default=-1))]
    for node in nodes:
        columns[node[1]].append(node)
    before: dict[Node, dict[Node, None]] = {node: {} for node in nodes}
    for chain in chains:
        for first, second in pairwise(chain):
            before[second][first] = None
    height: dict[Node, float] = {}
    for column in columns:
        middle = {node: sum(height.get(one, 0) for one in before[node]) / max(1, len(before[node])) for node in column}
        column.sort(key=lambda node: (middle[node], node[0]))
        # The middle of each column is at height 0.
        height |= {node: place - (len(column) - 1) / 2 for place, node in enumerate(column)}
    return columns


def _height(column: Sequence[Node], layers: Layers) -> float:
    """Return the height of a column."""
    return sum(_height_of(node, layers) + BETWEEN[1] for node in column) - BETWEEN[1]


def _height_of(node: Node, layers: Layers) -> float:
    return BOX[1] if layers[node[0]] == node[1] else LANE


def _places(columns: Sequence[Sequence[Node]], layers: Layers) -> dict[Node, tuple[float, float]]:
    """Return the left end and the middle of each node."""
    tallest = max((_height(column, layers) for column in columns), default=0)
    places = {}
    for at, column in enumerate(columns):
        y = MARGIN + (tallest - _height(column, layers)) / 2
        for node in column:
            height = _height_of(node, layers)
            places[node] = MARGIN + at * (BOX[0] + BETWEEN[0]), y + height / 2
            y += height + BETWEEN[1]
    return places


def _path(corners: Sequence[tuple[float, float]]) -> str:
    """Return a curve from the right of the first box to the left of the last, level where it passes a column."""
    (x, y), *rest = corners
    x += BOX[0]
    words = [f"M{x:g} {y:g}"]
    for place, (left, middle) in enumerate(rest):
        bend = BETWEEN[0] / 2
        words.append(f"C{x + bend:g} {y:g} {left - bend:g} {middle:g} {left:g} {middle:g}")
        x, y = left, middle
        if place < len(rest) - 1:
            x = left + BOX[0]
            words.append(f"H{x:g}")
    return " ".join(words)
