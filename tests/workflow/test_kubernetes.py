"""The profile for Kubernetes, without a cluster: every key is an option that Snakemake or one of its plug-ins knows."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

PROFILE = "profiles/kubernetes"
ROOT = Path(__file__).parents[2]
PLUG_INS = ("snakemake_executor_plugin_kubernetes", "snakemake_storage_plugin_s3")

needs_plug_ins = pytest.mark.skipif(
    any(find_spec(name) is None for name in PLUG_INS),
    reason="the extra `kubernetes` is not installed: uv sync --extra kubernetes",
)


@needs_plug_ins
def test_snakemake_and_its_plug_ins_know_every_key():
    """Without a run: the parser of the command line is what reads a profile, and it ends with 2 for a key it does not know."""
    from snakemake.cli import parse_args

    _, read = parse_args(["--workflow-profile", str(ROOT / PROFILE)])
    given = yaml.safe_load((ROOT / PROFILE / "config.yaml").read_text())
    known = vars(read)
    assert {key for key in given if key.replace("-", "_") not in known} == set()
    assert known["executor"] == "kubernetes" and known["default_storage_provider"] == "s3"


def test_the_settings_that_reruns_depend_on_are_those_of_the_default_profile():
    default, ours = (
        yaml.safe_load((ROOT / profile / "config.yaml").read_text()) for profile in ("profiles/default", PROFILE)
    )
    # A cap of one GPU is for one machine.
    assert default.pop("resources") == {"gpu": 1} and "resources" not in ours
    assert default.items() <= ours.items()
