"""Parts found by name, and their settings checked key by key."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

import pytest

from diffbench.base.errors import UserError
from diffbench.base.plugins import coerced, configure, described, load, module_of, names, nearest


@dataclass(frozen=True)
class Inner:
    depth: int = 1


@dataclass(frozen=True)
class Part:
    size: int
    rate: float = 0.5
    on: bool = False
    label: str = "a"
    kind: Literal["small", "large"] = "small"
    sizes: tuple[int, ...] = ()
    pair: tuple[int, str] = (0, "")
    limit: float | None = None
    inner: Inner = Inner()
    table: dict[str, int] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.size < 0:
            raise ValueError(f"size must not be negative, it is {self.size}")


def test_every_setting_in_its_type():
    given = {
        "size": 3,
        "rate": 2,
        "on": True,
        "label": "b",
        "kind": "large",
        "sizes": [1, 2],
        "pair": [4, "c"],
        "limit": 1,
        "inner": {"depth": 2},
        "table": {"x": 1},
    }
    part = configure(Part, given, "part")
    assert part == Part(3, 2.0, True, "b", "large", (1, 2), (4, "c"), 1.0, Inner(2), {"x": 1})
    assert isinstance(part.rate, float) and isinstance(part.limit, float)
    assert configure(Part, {"size": 1, "limit": None}, "part").limit is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": 1, "rte": 2}, "part: unknown key 'rte'; did you mean 'rate'? allowed: "),
        ({}, "part: 'size' is missing"),
        ({"size": 1.0}, "part.size: 1.0 is not a whole number"),
        ({"size": "3"}, "part.size: '3' is not a whole number"),
        ({"size": True}, "part.size: True is not a whole number"),
        ({"size": None}, "part.size: None is not a whole number"),
        ({"size": 1, "rate": "1e-3"}, "part.rate: '1e-3' is not a number"),
        ({"size": 1, "rate": True}, "part.rate: True is not a number"),
        ({"size": 1, "on": 1}, "part.on: 1 is not true or false"),
        ({"size": 1, "on": "yes"}, "part.on: 'yes' is not true or false"),
        ({"size": 1, "label": 2}, "part.label: 2 is not a text"),
        ({"size": 1, "kind": "smal"}, "part.kind: 'smal' is not allowed; did you mean 'small'? allowed: large, small"),
        ({"size": 1, "sizes": 4}, "part.sizes: 4 is not a list"),
        ({"size": 1, "sizes": [1, "2"]}, "part.sizes[1]: '2' is not a whole number"),
        ({"size": 1, "pair": [1]}, "part.pair: [1] is not a list"),
        ({"size": 1, "limit": "x"}, "part.limit: 'x' is not a number"),
        ({"size": 1, "inner": 3}, "part.inner: 3 is not a map (Inner)"),
        ({"size": 1, "table": 3}, "part.table: 3 is not a map"),
        ({"size": 1, "inner": {"dpth": 3}}, "part.inner: unknown key 'dpth'; did you mean 'depth'?"),
        ({"size": -1}, "part: size must not be negative, it is -1"),
    ],
)
def test_a_bad_setting_is_one_line_that_names_it(given, message):
    with pytest.raises(UserError) as caught:
        configure(Part, given, "part")
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_a_part_described_is_a_part_configured():
    part = Part(3, sizes=(1, 2), inner=Inner(5))
    plain = described(part, "part")
    assert plain["name"] == "part" and plain["inner"] == {"depth": 5}
    assert configure(Part, {key: value for key, value in plain.items() if key != "name"}, "") == part


def test_unions_take_the_first_type_that_fits():
    assert coerced(3, int | str, "x") == 3 and coerced("a", int | str, "x") == "a"
    with pytest.raises(UserError, match=r"x: 1\.5 is not a text"):
        coerced(1.5, int | str, "x")


def test_names_are_the_public_files_of_a_folder():
    assert {"ancestral", "ddim"} <= set(names("samplers"))
    assert not any(name.startswith("_") for name in names("samplers"))
    assert module_of("samplers", "ddim") == "diffbench.samplers.ddim"
    assert load("samplers", "ddim").__name__ == "Ddim"


def test_a_misspelt_part_gets_the_nearest_name():
    with pytest.raises(UserError, match=r"^samplers\.x: no sampler 'dimm'; did you mean 'ddim'\? allowed: "):
        load("samplers", "dimm", "samplers.x")
    assert nearest("qqq", ["b", "a"]) == "allowed: a, b"
    assert nearest("qqq", []) == "allowed: nothing"


GUIDANCE = """from dataclasses import dataclass

@dataclass(frozen=True)
class Mine:
    scale: float = 1.0
    needs_classifier = False
    before_clipping = True

    def __call__(self, denoiser, gradient, *, applies_gradient):
        return denoiser
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(__import__("sys").path))

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(text)

    return write


def test_ones_own_class_by_its_dotted_path(own):
    own("own_part_a", GUIDANCE)
    part = load("guidance", "own_part_a.Mine")
    assert configure(part, {"scale": 2}, "x").scale == 2.0
    assert module_of("guidance", "own_part_a.Mine") == "own_part_a"


@pytest.mark.parametrize("lacking", ["scale", "needs_classifier", "before_clipping", "__call__"])
def test_ones_own_class_without_what_the_contract_requires_is_one_line(own, lacking):
    name = f"own_part_without_{lacking.strip('_')}"
    own(name, GUIDANCE.replace(lacking, f"{lacking}_misspelt"))
    with pytest.raises(UserError) as caught:
        load("guidance", f"{name}.Mine", "models.m.guidance")
    said = f"models.m.guidance: {name}.Mine has no '{lacking}', which guidance/_contract.py requires"
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("module", "text", "name", "message"),
    [
        (None, "", "own_part_none.Mine", "cannot import 'own_part_none' for 'own_part_none.Mine'"),
        ("own_part_b", "class Mine: pass", "own_part_b.Mine", "own_part_b has no dataclass 'Mine'"),
        ("own_part_c", "x = 1", "own_part_c.Mine", "own_part_c has no dataclass 'Mine'"),
        ("own_part_d", "import no_such_module", "own_part_d.Mine", "No module named 'no_such_module'"),
        ("own_part_e", "def f(:", "own_part_e.Mine", "SyntaxError"),
        (None, "", ".Mine", "cannot import ''"),
    ],
)
def test_ones_own_class_that_cannot_be_had_is_one_line(own, module, text, name, message):
    if module:
        own(module, text)
    with pytest.raises(UserError) as caught:
        load("samplers", name, "samplers.mine")
    said = str(caught.value)
    assert said.startswith("samplers.mine: ") and message in said and "\n" not in said
