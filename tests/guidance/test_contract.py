"""What every kind of guidance must keep, for each file in the folder: the checks of `diffbench contract`."""

import pytest

from diffbench.base import plugins
from diffbench.commands.contract import guidance as contract

GUIDANCE = {name: plugins.load("guidance", name) for name in plugins.names("guidance")}
KEPT = [(check, name) for name, part in GUIDANCE.items() for check in contract.checks(part())]


@pytest.mark.parametrize(("check", "name"), KEPT, ids=lambda item: getattr(item, "__name__", item))
def test_keeps_the_contract(check, name):
    check(GUIDANCE[name]())
