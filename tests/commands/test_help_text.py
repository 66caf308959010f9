"""Help as a newcomer reads it: commands by purpose, values by their kind, first lines that fit a terminal."""

import os
import re

import pytest

from diffbench.base.stage_names import STAGES
from diffbench.cli import app
from diffbench.commands.help_text import GROUPS, MAKES

WIDTH = 80
NAMES = [name for names in GROUPS.values() for name in names]
REGISTERED = {str(one.name or getattr(one.callback, "__name__", "")) for one in app.registered_commands}


@pytest.fixture
def helped(diffbench, tmp_path, monkeypatch):
    """A function (*command) that returns the help of a command on a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", str(WIDTH))

    def shown(*command):
        done = diffbench(*command, "--help", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return shown


def test_every_command_is_in_one_group_and_every_stage_says_what_it_makes():
    assert REGISTERED <= set(NAMES) and len(NAMES) == len(set(NAMES))
    assert tuple(MAKES) == STAGES


def test_the_commands_are_listed_by_purpose_one_line_each(helped):
    text = helped()
    assert all(len(line) <= WIDTH for line in text.splitlines())
    listed = [found[1] for line in text.splitlines() if (found := re.match(r"│ ([a-z-]+)  +\S", line))]
    assert [name for name in listed if not name.startswith("--")] == [name for name in NAMES if name in REGISTERED]
    assert [text.index(title) for title in GROUPS] == sorted(text.index(title) for title in GROUPS)
    # A first line that wraps has a second one with nothing in the column of names.
    panels = text[text.index("A benchmark, from") :]
    assert not re.search(r"^│ {5}", panels, re.MULTILINE), panels


@pytest.mark.parametrize("name", sorted(REGISTERED - set(STAGES)))
def test_an_option_shows_its_kind_in_words_and_a_flag_none(helped, name):
    text = helped(name)
    assert not re.search(r"<(bool|str|path|int|Path|list)", text), text
    assert "list[" not in text and f"default: {os.cpu_count()}]" not in text


def test_kinds_are_files_folders_numbers_and_names(helped):
    text = helped("measure")
    assert "[default: (its own or a download)]" in " ".join(text.replace("│", " ").split())
    for option, kind in {"weights": "FILE", "cache": "FOLDER", "threads": "NUMBER", "protocol": "NAME"}.items():
        assert re.search(rf"--{option} +{kind}\b", text), option
    assert "[default: (one for each processor)]" in " ".join(text.replace("│", " ").split())


def test_the_help_of_a_stage_shows_kinds_too(helped):
    text = helped("train")
    for option in ("--data FILE", "--checkpoint-every NUMBER", "--cache FOLDER"):
        assert option in text
    assert "DATA" not in text and "SPEC" not in text
