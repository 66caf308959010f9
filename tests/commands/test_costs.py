"""Costs are sums over the run records of a folder."""

import pytest

from diffbench import cli
from diffbench.base.errors import UserError
from diffbench.commands.costs import costs
from diffbench.stages._run_record import run_record


def test_stages_are_summed_in_the_order_of_the_chain(tmp_path):
    for name, stage in (("b", "sample"), ("a", "train"), ("c", "sample"), ("d", "shrink")):
        with run_record(tmp_path / stage / f"{name}.run.json", stage=stage):
            pass
    lines = costs(tmp_path).splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [
        ["shrink", "1"],
        ["train", "1"],
        ["sample", "2"],
        ["all", "4"],
    ]


@pytest.mark.parametrize("place", [".", "nosuch"])
def test_a_folder_without_records_is_one_line_and_exit_code_2(tmp_path, place, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["diffbench", "costs", str(tmp_path / place)])
    with pytest.raises(SystemExit) as leaving:
        cli.main()
    said = capsys.readouterr().err
    assert leaving.value.code == 2 and "no run records below it" in said and len(said.splitlines()) == 1


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"stage": "sample", "seconds": "x"}'])
def test_a_damaged_record_is_named(tmp_path, content):
    (tmp_path / "a.run.json").write_text(content)
    with pytest.raises(UserError, match=r"a\.run\.json: not a run record"):
        costs(tmp_path)
