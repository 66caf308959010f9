"""What every format must keep, for each file in the folder."""

from dataclasses import replace

import pytest

from diffbench.base import plugins


@pytest.mark.parametrize("name", plugins.names("formats"))
def test_a_pure_function_of_the_sheet_that_ends_its_last_line(name, sheet):
    form = plugins.load("formats", name)()
    text = form(sheet)
    assert text == form(sheet) and text.endswith("\n") and not text.endswith("\n\n")
    assert "3.5" in text and form(replace(sheet, caption="", rows=(), notes=())).endswith("\n")


@pytest.mark.parametrize("name", plugins.names("formats"))
def test_endings_name_one_format_and_a_stranger_s_text_is_no_table_of_it(name, sheet):
    form = plugins.load("formats", name)()
    others = [plugins.load("formats", other) for other in plugins.names("formats") if other != name]
    assert form.endings and not {*form.endings} & {ending for other in others for ending in other.endings}
    assert not form.wrote("") and not form.wrote("# My paper\n\n| a |\n|---|\n")
    assert form.wrote(form(sheet)) is not form.wide, "files for programs do not say what wrote them"
