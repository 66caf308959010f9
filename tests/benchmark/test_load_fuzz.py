"""Random content of a benchmark's file: `diffbench check` soon accepts it or refuses it in one line."""

import copy
import time
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diffbench.base.errors import UserError
from diffbench.benchmark.yaml_file import read_yaml, write_yaml
from diffbench.cli import check

SMOKE = read_yaml(Path(__file__).parents[2] / "workflow/config/smoke.yaml")


def places(content, path=()):
    """Return the paths of every value of a file, the maps and lists among them."""
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    found = [path] if path else []
    for key, value in inner:
        found += places(value, (*path, key))
    return found


def put(content, path, value):
    for key in path[:-1]:
        content = content[key]
    content[path[-1]] = value


NAMES = [
    "..",
    "a/b",
    "",
    ".x",
    "-x",
    "x@1",
    "it's",
    'a"b',
    "a\nb",
    "x" * 300,
    "real",
    "$(id)",
    "{a}",
    "ddpm",
    "os.path",
]
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3),
    st.sampled_from([10**6, 10**12, 2**62, -(2**62), 1e-300, -1e300, 0.0, -0.5, 1e30, 1.5]),
    st.sampled_from(NAMES), st.text("a1.:-,@ ", max_size=4),
    st.lists(st.none() | st.integers(-1, 9) | st.sampled_from(NAMES), max_size=3),
    st.dictionaries(st.sampled_from([*NAMES, "name", "base", "of", "path", "key"]), st.none() | st.integers(-1, 9) | st.sampled_from(NAMES), max_size=2),
)  # fmt: skip


def checked(content, folder):
    """Return the message with which `diffbench check` refuses a file; None if it accepts the file."""
    path = folder / "odd.yaml"
    path.write_text(write_yaml(content))
    try:
        check(path, resolved=True)
    except UserError as error:
        return str(error)
    return None


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes=st.lists(st.tuples(st.sampled_from(places(SMOKE)), ODD), min_size=1, max_size=2))
def test_an_odd_value_anywhere_is_accepted_or_one_line(tmp_path, changes):
    content = copy.deepcopy(SMOKE)
    for path, value in changes:
        try:
            put(content, path, value)
        except (KeyError, TypeError, IndexError):
            continue  # a change before replaced what held it
    started = time.process_time()
    said = checked(content, tmp_path)
    assert time.process_time() - started < 20
    assert said is None or (said.startswith(str(tmp_path)) and len(" ".join(said.split())) <= 3000)
