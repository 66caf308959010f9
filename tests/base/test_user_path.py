"""Paths that people write, and errors of one line."""

from pathlib import Path

import pytest

from diffbench.base.errors import LONGEST, UserError
from diffbench.base.user_path import user_path


def test_a_home_is_found(monkeypatch):
    monkeypatch.setenv("HOME", "/home/of/mine")
    assert user_path("~/a") == Path("/home/of/mine/a") and user_path(Path("b/c")) == Path("b/c")


@pytest.mark.parametrize("text", ["~no_such_user/x", "x" * 256, "a/" * 2100, "a\0b", "\u00e9" * 200])
def test_a_path_that_no_file_has_is_one_line(text):
    with pytest.raises(UserError, match="no user|longer|zero byte") as caught:
        user_path(text)
    assert len(str(caught.value)) < 300 or "zero" in str(caught.value)


def test_an_error_is_one_line_of_bounded_length():
    assert str(UserError("a\nb: 'c\r\n'")) == "a b: 'c '"
    said = str(UserError(f"file.yaml: {'x' * 10_000}: allowed: yes"))
    assert len(said) < LONGEST + 10 and said.startswith("file.yaml: x") and said.endswith("allowed: yes")
