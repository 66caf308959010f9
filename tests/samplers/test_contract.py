"""What every sampler must keep, for each file in the folder: the checks of `diffbench contract`, and what `sample` adds."""

import dataclasses
import os
import typing

import pytest
import torch

from diffbench.base.errors import UserError
from diffbench.base.plugins import configure, load, names
from diffbench.commands.contract import sampler as contract
from diffbench.diffusion.gaussians import GaussianDenoiser
from diffbench.samplers._batches import sample
from diffbench.samplers._contract import State

torch.set_num_threads(1)
# pytest tests/samplers/test_contract.py --sampler my_module.MySampler
GIVEN = os.environ.get("DIFFBENCH_TEST_SAMPLERS", "").split()
SAMPLERS = {name: load("samplers", name) for name in GIVEN or names("samplers")}
CHAINS = contract.chains()

each = pytest.mark.parametrize("part", SAMPLERS.values(), ids=SAMPLERS.keys())


def variants(part):
    """Yield the sampler unchanged, and with each field changed: numbers to 0.7, booleans negated, words to others."""
    found = [part()]
    for field in dataclasses.fields(part):
        value = getattr(part(), field.name)
        if isinstance(value, bool):
            found.append(part(**{field.name: not value}))
        elif isinstance(value, float):
            found.append(part(**{field.name: 0.7}))
        elif isinstance(value, str):
            words = typing.get_args(typing.get_type_hints(part)[field.name])
            found += [part(**{field.name: word}) for word in words if word != value]
    return found


ALL = [sampler for part in SAMPLERS.values() for sampler in variants(part)]


@each
def test_defaults_are_what_an_entry_without_options_gives(part):
    assert configure(part, {}, "x") == part()


KEPT = [(check, sampler) for sampler in ALL for check in contract.checks(sampler)]


@pytest.mark.parametrize(("check", "sampler"), KEPT, ids=lambda item: getattr(item, "__name__", None) or repr(item))
def test_keeps_the_contract(check, sampler):
    check(sampler)


def test_every_kind_of_check_is_made_of_some_sampler():
    assert len({check.__name__ for check, _ in KEPT}) == 9 or GIVEN


def test_another_seed_gives_other_images():
    def drawn(seed):
        return sample(
            ALL[0], GaussianDenoiser(), CHAINS["linear"], index=range(4), shape=(1, 2, 2), seed=seed, micro_batch=4
        )

    assert torch.equal(drawn(0), drawn(0)) and not (drawn(0) == drawn(1)).any()


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda x: x * float("nan"), "step 0 returned values that are not finite"),
        (lambda x: x * float("inf"), "step 0 returned values that are not finite"),
        (lambda x: x[:, :, :1], r"step 0 returned \(4, 1, 1, 2\) for \(4, 1, 2, 2\)"),
    ],
)
def test_what_is_no_image_is_one_line(result, message):
    class Broken:
        order = startup_order = 1
        stochastic = applies_gradient = False

        def __call__(self, denoiser, chain, x_T, noise):
            for i in range(len(chain)):
                yield State(chain.level(i + 1), result(x_T), x_T)

    with pytest.raises(UserError, match=f"sampler Broken: {message}"):
        sample(Broken(), GaussianDenoiser(), CHAINS["linear"], index=range(4), shape=(1, 2, 2), seed=0, micro_batch=4)


def test_every_step_is_reported():
    calls = []
    chain = CHAINS["linear"]
    sample(
        ALL[0],
        GaussianDenoiser(),
        chain,
        index=range(5),
        shape=(1, 2, 2),
        seed=0,
        micro_batch=2,
        on_step=calls.append,
    )
    assert len(calls) == 3 * len(chain)
