"""The reader of YAML: what values mean, what is refused, and that nothing takes long."""

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from diffbench.base.errors import UserError
from diffbench.benchmark.yaml_file import LARGEST, parse_yaml, read_layers, read_yaml, write_yaml

CONFIGS = sorted((Path(__file__).parents[2] / "workflow/config").glob("*.yaml"))

VALUES = {
    "1e-3": 0.001,
    "1.0e-3": 0.001,
    "1E5": 1e5,
    ".5": 0.5,
    "-0.0": -0.0,
    "0": 0,
    "-7": -7,
    "800_000": 800000,
    "9223372036854775807": 2**63 - 1,
    "true": True,
    "False": False,
    "": None,
    "~": None,
    "null": None,
    # Of YAML 1.1 alone: texts, which a field that wants something else refuses.
    "yes": "yes",
    "no": "no",
    "on": "on",
    "2026-11-30": "2026-11-30",
    "nan": "nan",
    "10,15,20": "10,15,20",
    "'010'": "010",
    '"1:40"': "1:40",
    "[a, {b: 1}]": ["a", {"b": 1}],
    "{\"a\": [1, 2.5, null], 'b': true}": {"a": [1, 2.5, None], "b": True},
}
REFUSED = {
    "steps: [010, 8]": "line 1: 010 is one number to some readers",
    "n: 1:40": "line 1: 1:40 is one number",
    "n: -0o17": "-0o17 is one number",
    "n: 0x1F": "0x1F is one number",
    "n: 1_000.5": "1_000.5 is one number",
    "\nn: .inf": "line 2: .inf is not a finite number",
    "n: -.INF": "-.INF is not a finite number",
    "n: .nan": ".nan is not a finite number",
    "n: 1e999": "1e999 is not a finite number",
    f"n: {2**63}": "whole numbers are below 2^63",
    f"n: -{'9' * 5000}": "(5001 characters) is too large",
    "a: 1\nb: 2\na: 3": "line 3: key 'a' is written twice",
    "{x: {k: 1, k: 1}}": "line 1: key 'k' is written twice",
    "{1: a, 1: b}": "key '1' is written twice",
    "{[a]: 1}": "a key must be a name",
    "{true: 1}": "a key must be a name",
    "{~: 1}": "a key must be a name",
    "n: !!float abc": "line 1: tag tag:yaml.org,2002:float",
    "n: !!timestamp 2026-13-45": "tags mean nothing here",
    "n: !mine {a: 1}": "tag !mine",
    "a: &x [1]\nb: *y": "line 2: *y is not the anchor of a value",
    "a: &x [*x]": "*x is not the anchor of a value that ends before it",
    "a: {<<: 1}": "'<<' takes a map",
    "a: {<<: {b: 1}, <<: {c: 1}}": "'<<' is written twice",
    "a: 1\n---\nb: 2": "line 2: a second document",
    "%YAML 1.1\n---\na: yes": "%YAML 1.1: this is read as YAML 1.2",
    "a: [1, 2": "not YAML: line 1",
    "a:\n\t- 1": "not YAML: line 2",
    'a: "\\UFFFFFFFF"': "not YAML",
    "a: \x07": "not YAML",
    "__use_yte__: true": "line 1: the key __use_yte__ makes Snakemake run Python",
    "models: {x: {'__use_yte__': true}}": "the key __use_yte__",
}


@pytest.mark.parametrize(("text", "value"), VALUES.items())
def test_a_value_is_what_yaml_1_2_says(text, value):
    found = parse_yaml(f"a: {text}", "x.yaml")["a"]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(("text", "message"), REFUSED.items())
def test_what_cannot_be_meant_is_one_line(text, message):
    with pytest.raises(UserError) as caught:
        parse_yaml(text, "x.yaml")
    said = str(caught.value)
    assert said.startswith("x.yaml: ") and message in said and "\n" not in said and len(said) < 400


def test_merge_keys_and_aliases_are_kept():
    text = "a: &a {x: 1, y: {z: 2}}\nb: &b {y: 3, w: 4}\nc: {<<: *a, x: 5}\nd:\n  k: 0\n  <<: [*a, *b]\ne: *a"
    plain = yaml.safe_load(text)
    assert parse_yaml(text, "x") == plain
    assert plain["d"] == {"k": 0, "x": 1, "y": {"z": 2}, "w": 4} and plain["c"]["x"] == 5
    assert list(parse_yaml(text, "x")["c"]) == list(plain["c"])


def test_other_writings_of_the_same_file_are_the_same(tmp_path):
    source = CONFIGS[0].read_bytes()
    path = tmp_path / "other.yaml"
    for other in (source.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + source):
        path.write_bytes(other)
        assert read_yaml(path) == read_yaml(CONFIGS[0])
    path.write_bytes(source.decode().encode("utf-16"))
    with pytest.raises(UserError, match="not text in UTF-8"):
        read_yaml(path)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_what_ships_means_the_same_to_both_readers_and_is_written_back(path):
    content = read_yaml(path)
    assert content == yaml.safe_load(path.read_text())
    assert read_again(content) == content


def read_again(content):
    """Return content written and read by both readers, after a check that they agree."""
    written = write_yaml(content)
    found = parse_yaml(written, "written")
    assert repr(yaml.safe_load(written)) == repr(found)
    return found


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co", "Zl", "Zp"]), max_size=8)
ODD = st.sampled_from(["010", "1e-3", "1:40", "no", "<<", "2026-11-30", "1_000", "", "~", ".inf", "*a", "- x", "a: b"])
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS.filter(lambda text: "\ufeff" not in text) | ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(PLAIN)
def test_what_is_written_is_read_as_the_same(content):
    assert repr(read_again({"a": content})) == repr({"a": content})


def laughs(levels):
    lists = ["&x0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lists += [f"&x{i} [{', '.join([f'*x{i - 1}'] * 10)}]" for i in range(1, levels)]
    return f"a: [{', '.join(lists)}]"


BOMBS = {
    "laughs": (laughs(9), "aliases written out"),
    "nested merges": (
        "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{p: *a{i - 1}, q: *a{i - 1}}}\n" for i in range(1, 60)),
        "aliases written out",
    ),
    "one long text many times": (f"a: &a {'x' * 2000}\nb: [{'*a, ' * 1000}]", "aliases written out"),
    "deep lists": ("a: " + "[" * 20000 + "]" * 20000, "inside each other"),
    "deep blocks": ("\n".join(" " * i + "a:" for i in range(300)), "inside each other"),
    "deep and open": ("[" * 100000, "inside each other"),
    "long": ("a: " + "x" * LARGEST, "longer than"),
    "digits": ("a: " + "9" * (LARGEST - 10), "too large"),
    "keys": ("".join(f"k{i}: {i}\n" for i in range(15000)), None),
}


@pytest.mark.parametrize(("text", "message"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_one_line_at_once(text, message, tmp_path):
    path = tmp_path / "bomb.yaml"
    path.write_text(text)
    started = time.process_time()
    if message is None:
        assert len(read_yaml(path)) == 15000
    else:
        with pytest.raises(UserError, match=message) as caught:
            read_yaml(path)
        assert len(str(caught.value)) < 400
    assert time.process_time() - started < 10


@pytest.mark.parametrize("path", ["/dev/zero", ".", "none.yaml", "a\0b"])
def test_what_is_no_file_is_one_line(path):
    with pytest.raises(UserError, match="not a file|cannot be read"):
        read_yaml(path)


def test_layers_merge_maps_and_replace_the_rest(tmp_path):
    first, second = tmp_path / "1.yaml", tmp_path / "2.yaml"
    first.write_text("a: {x: 1, y: [1, 2]}\nb: 1\nc: {d: 1}\n")
    second.write_text("a: {y: [3]}\nb: {e: 1e-3}\nc: \n")
    settings = ["a={x: 50, z: {w: 0.5}}", "n=", "t='010'", "s=a=b", "a={x: 51}"]
    assert read_layers([first, second], settings) == {
        "a": {"x": 51, "y": [3], "z": {"w": 0.5}},
        "b": {"e": 0.001},
        "c": None,
        "n": None,
        "t": "010",
        "s": "a=b",
    }
    assert first.read_text().startswith("a: {x: 1,")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("seed=010", "--config seed: line 1: 010 is one number"),
        ("seed", "--config: 'seed' is not of the form KEY=VALUE"),
        ("__use_yte__=true", "the key __use_yte__"),
        ("a={__use_yte__: true}", "the key __use_yte__"),
        ("a=[", "--config a: not YAML"),
    ],
)
def test_a_setting_is_read_with_the_same_care(setting, message):
    with pytest.raises(UserError) as caught:
        read_layers([], [setting])
    assert message in str(caught.value)


FAULTS = Path(__file__).parents[3] / "shared/cases/60_faults"


@pytest.mark.parametrize(
    "name", ["bad_date", "billion_laughs_in_models", "deep_nesting", "float_tag", "huge_int_5000_digits", "yte"]
)
def test_files_that_were_a_traceback_or_minutes_are_one_line_at_once(diffbench, tmp_path, name):
    path = FAULTS / f"{name}.yaml"
    if not path.is_file():
        pytest.skip("the cases are not beside this checkout")
    for arguments in ([path], [path, "--resolved"]):
        begun = time.monotonic()
        done = diffbench("check", *arguments, cwd=tmp_path)
        assert time.monotonic() - begun < 60
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and str(path) in done.stderr
