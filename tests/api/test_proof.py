"""A sampler proved in Python: the verdict of `diffbench oracle`, for an object that has no name there."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

import diffbench
from diffbench.base.errors import UserError
from diffbench.samplers.ddim import Ddim


@dataclass(frozen=True)
class Boastful(Ddim):
    """DDIM, which has order 1 and declares 2 here."""

    order: ClassVar[int] = 2
    startup_order: ClassVar[int] = 2


@pytest.mark.slow
def test_an_order_that_a_sampler_has_not_fails():
    proof = diffbench.prove(Boastful)
    assert not proof.holds and "fails" in str(proof) and "Boastful" in str(proof)
    assert set(proof.errors["sampler"]) == {"Boastful"} and (proof.errors["error"] >= 0).all()
    (claim,) = proof.claims
    assert claim.threshold == "2 +- 0.3" and 0.8 < float(claim.measured.split()[0]) < 1.2


@pytest.mark.slow
def test_a_sampler_by_name_holds():
    assert diffbench.prove("dpmpp_2m").holds


def test_what_has_no_order_is_refused():
    with pytest.raises(UserError, match="sampler probability_flow: chooses its own steps"):
        diffbench.prove("probability_flow")
    with pytest.raises(UserError, match="no sampler 'hen'; did you mean 'heun'"):
        diffbench.prove("hen")
