"""The list of stages is the folder of stages."""

from pathlib import Path

from diffbench import stages
from diffbench.base.stage_names import STAGES
from diffbench.commands.verify.rerun import ARGUMENTS


def test_every_file_of_a_stage_is_named_once():
    files = Path(stages.__file__).parent.glob("[a-z]*.py")
    assert sorted(STAGES) == sorted(path.stem for path in files)


def test_every_stage_can_be_repeated():
    assert set(ARGUMENTS) == set(STAGES)
