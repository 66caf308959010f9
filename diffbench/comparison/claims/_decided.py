"""Claims with what the evidence says about them, and the outcome of a claim as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass

from diffbench.base.errors import UserError
from diffbench.comparison.claims._contract import FAILS, HOLDS, NOT_RESOLVED, NOT_TESTABLE, Claim, Finding
from diffbench.comparison.claims._evidence import Evidence
from diffbench.comparison.claims._found import claims_named


@dataclass(frozen=True)
class Decided:
    """A claim and its findings."""

    claim: Claim
    findings: Sequence[Finding]

    @property
    def outcome(self) -> str:
        """The outcome over all places: it fails if one test fails, and holds if all that could be tested hold."""
        tested = {finding.outcome for finding in self.findings} - {NOT_TESTABLE}
        if not tested:
            return NOT_TESTABLE
        return FAILS if FAILS in tested else HOLDS if tested == {HOLDS} else NOT_RESOLVED


def decided(evidence: Evidence, names: Sequence[str] = ()) -> list[Decided]:
    """Return claims with their findings. names: ids or dotted paths; empty for all claims.

    Raises: UserError if there is no such claim, or a claim's own test fails with an error.
    """
    return [Decided(claim, _findings(claim, evidence)) for claim in claims_named(names)]


def _findings(claim: Claim, evidence: Evidence) -> list[Finding]:
    try:
        found = list(claim(evidence))
    except UserError as error:
        raise UserError(f"{claim.id}: {error}") from error
    except Exception as error:
        raise UserError(f"{claim.id}: its test stopped with {type(error).__name__}: {error}") from error
    if not found or not all(isinstance(item, Finding) for item in found):
        raise UserError(f"{claim.id}: its test gave no findings; yield one that says what it needs (`found_or`)")
    return found
