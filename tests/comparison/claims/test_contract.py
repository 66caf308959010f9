"""Every claim: its file, what it says of itself, and what it gives if there is nothing to test it on."""

import dataclasses
import re

import pytest

from diffbench.base.errors import UserError
from diffbench.comparison.claims._contract import NOT_TESTABLE
from diffbench.comparison.claims._evidence import Evidence
from diffbench.comparison.claims._found import claim_ids, claim_named, claims_named, module_of

CONTROLS = {"DDPM-10", "IDDPM-4", "ADM-2", "ADM-3"}
"""The claims whose published numbers contradict one another."""


@pytest.mark.parametrize("name", claim_ids())
def test_a_claim_says_what_it_is_and_what_it_needs(name):
    claim = claim_named(name)
    assert claim.id == name and re.fullmatch(r"[A-Z]+-\d+", name)
    assert claim.statement.endswith(".") and claim.statement.count(". ") == 0
    assert re.search(r"\b(19|20)\d\d\b", claim.source)
    assert (claim.published_holds is None) == (not claim.published)
    assert bool(claim.control) == (name in CONTROLS)
    assert dataclasses.is_dataclass(claim) and not dataclasses.fields(claim)
    found = list(claim(Evidence([])))
    assert found and {item.outcome for item in found} == {NOT_TESTABLE}
    assert all(item.reason and item.test and item.effect is None for item in found)


def test_every_file_is_a_claim_and_they_are_in_the_order_of_the_papers():
    found = claim_ids()
    assert found == [claim.id for claim in claims_named([])] and len(found) == len(set(found))
    assert found.index("DDPM-1") < found.index("IDDPM-1") < found.index("ADM-1")
    assert module_of("DDPM-1") == type(claim_named("ddpm-1")).__module__


def test_an_unknown_claim_names_the_nearest():
    with pytest.raises(UserError, match=r"no claim 'DDMP-1'; did you mean 'DDPM-1'"):
        claim_named("DDMP-1")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Mine: pass", "inherit from"),
        ("class Mine: pass", "no dataclass 'Mine'"),
        ("raise RuntimeError('no')", "cannot import"),
        ("from dataclasses import dataclass\nfrom diffbench.comparison.claims._contract import Claim\n"
         "@dataclass(frozen=True)\nclass Mine(Claim): id = 'M-1'; statement = source = 's'", "__call__"),
        ("from dataclasses import dataclass\nfrom diffbench.comparison.claims._contract import Claim\n"
         "@dataclass(frozen=True)\nclass Mine(Claim):\n    id = 'M-1'\n    def __call__(self, evidence): return []",
         "has no source"),
    ],
)  # fmt: skip
def test_a_bad_claim_of_ones_own_is_refused(code, said, tmp_path, monkeypatch, request):
    module = f"my_claim_{abs(hash(request.node.name))}"
    (tmp_path / f"{module}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=said):
        claim_named(f"{module}.Mine")
