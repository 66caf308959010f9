"""The oracle: orders and claims as expected, its own closed forms, a stranger's sampler, one line for a mistake."""

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch

from diffbench.base import plugins
from diffbench.base.errors import UserError
from diffbench.commands.oracle import bound_claims as bound
from diffbench.commands.oracle import runs as _oracle_runs
from diffbench.commands.oracle import sampling_claims as sampling
from diffbench.commands.oracle.claims import Claim
from diffbench.commands.oracle.data import LOG_SNR, Stack, oracle_chain, spectra
from diffbench.commands.oracle.run import oracle, order_claims, printed
from diffbench.commands.oracle.runs import measured_order, run_samplers
from diffbench.commands.sampler_option import entry_of
from diffbench.diffusion.gaussians import Gaussian, gaussian_frechet
from diffbench.diffusion.process import respaced_chain
from diffbench.samplers._outcome import exact_outcome
from diffbench.samplers.ancestral import Ancestral
from diffbench.samplers.ddim import Ddim
from diffbench.samplers.dpmpp_3m import Dpmpp3m

torch.set_num_threads(1)
ROOT = Path(__file__).parents[2]
OWN = """
from dataclasses import dataclass
from diffbench.samplers.ddim import Ddim, State

@dataclass(frozen=True)
class Liar(Ddim):
    order = 2

@dataclass(frozen=True)
class Nan(Ddim):
    def __call__(self, denoiser, chain, x_T, noise):
        for state in Ddim.__call__(self, denoiser, chain, x_T, noise):
            yield State(state.level, state.x * float("nan"), state.x_0)

@dataclass(frozen=True)
class Short(Ddim):
    def __call__(self, denoiser, chain, x_T, noise):
        yield from list(Ddim.__call__(self, denoiser, chain, x_T, noise))[:-1]

@dataclass(frozen=True)
class Noisy(Ddim):
    def __call__(self, denoiser, chain, x_T, noise):
        for state in Ddim.__call__(self, denoiser, chain, x_T, noise):
            yield State(state.level, state.x + 1e-3 * noise(0), state.x_0)

@dataclass(frozen=True)
class Clipped(Ddim):
    def __call__(self, denoiser, chain, x_T, noise):
        for state in Ddim.__call__(self, denoiser, chain, x_T, noise):
            yield State(state.level, state.x.clamp(-1, 1) if state.level.sigma == 0 else state.x, state.x_0)

@dataclass(frozen=True)
class Silent:
    def __call__(self, denoiser, chain, x_T, noise):
        yield from ()
"""


@pytest.fixture
def own(tmp_path, monkeypatch, code_block):
    """A module of strangers' samplers in the working folder."""
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "my_sampler.py").write_text(code_block("docs/tutorial.md", "class MySampler"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("own", "my_sampler"):
        sys.modules.pop(name, None)


@pytest.fixture
def few(monkeypatch):
    """The log-SNR chain's three longest, and one short training chain."""
    monkeypatch.setattr(_oracle_runs, "STEPS", {LOG_SNR: (64, 128, 256), "cosine": (10,)})


def by(table, **values):
    for key, value in values.items():
        table = table[table[key] == value]
    return table


def test_every_sampler_of_the_package_has_the_order_it_declares(few):
    table = run_samplers([entry_of(name) for name in plugins.names("samplers")]).table()
    found = order_claims(table)
    # One that chooses its own steps has no order in their number.
    stepped = {
        name for name in plugins.names("samplers") if not getattr(plugins.load("samplers", name), "adaptive", False)
    }
    assert {claim.data.split(",")[0] for claim in found} == stepped
    assert all(claim.as_expected for claim in found), printed(found)


def test_a_strangers_second_order_is_seen_and_a_false_claim_too(few, own):
    table = run_samplers([entry_of("my_sampler.MySampler"), entry_of("own.Liar")]).table()
    honest, liar = order_claims(table)
    assert honest.holds and not liar.holds and "NOT AS EXPECTED" in printed([liar])
    # Two evaluations a step but for the last one, counted.
    assert set(by(table, sampler="my_sampler.MySampler", steps=64)["nfe"]) == {127}
    assert set(by(table, sampler="own.Liar", steps=64)["nfe"]) == {64}


def test_rows_are_what_the_closed_forms_say(few):
    table = run_samplers([entry_of("ancestral"), entry_of("ddim")]).table()
    chain = oracle_chain("cosine", 10)
    for name, variance in spectra(_oracle_runs.SIZE).items():
        cosine = by(table, schedule="cosine", data=name)
        # The same run without the stack, on the whole image.
        outcome = exact_outcome(Ddim(), Gaussian(0.0, variance).denoiser(), chain, tuple(variance.shape))
        zero = torch.zeros_like(variance)
        frechet = gaussian_frechet(outcome.mean, outcome.variance, zero, variance)
        row = by(cosine, sampler="ddim").iloc[0]
        assert math.isclose(row["frechet"], frechet, rel_tol=1e-9) and row["error"] == row["rmse"]
        # For a linear map the RMSE is the distance of the gains; 64 starts spread it by a tenth.
        assert math.isclose(row["rmse"], math.sqrt(frechet / variance.numel()), rel_tol=0.35)
        large = by(cosine, sampler="ancestral", reverse_variance="fixed_large").iloc[0]
        expected = gaussian_frechet(zero, sampling.ancestral_variance(chain, variance), zero, variance)
        assert math.isclose(large["frechet"], expected, rel_tol=1e-9) and math.isnan(large["rmse"])
        assert math.isclose(large["error"], math.sqrt(expected / variance.numel()), rel_tol=1e-9)
    assert set(table["reverse_variance"]) == {"fixed_small", "fixed_large", ""}
    assert by(table, data="mixture")["frechet"].isna().all() and set(by(table, data="mixture")["sampler"]) == {"ddim"}


def test_what_is_not_affine_keeps_its_rmse_and_is_noted(few, own):
    runs = run_samplers([entry_of("own.Clipped")])
    table = runs.table()
    assert table["frechet"].isna().all() and table["rmse"].notna().all()
    assert runs.notes == [
        "sampler Clipped: its result is not an affine function of its noise: its Frechet distances are left out"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ddmi", "--sampler: no sampler 'ddmi'; did you mean 'ddim'?"),
        ("nowhere.Sampler", "--sampler: cannot import 'nowhere' for 'nowhere.Sampler'"),
        ("own.Missing", "--sampler: own has no dataclass 'Missing'"),
        ("ddim eta", "--sampler 'ddim eta': 'eta' is not an option; write eta=0.5"),
        ("ddim eta=2", "--sampler ddim: eta must be between 0 and 1"),
        ("ddim eta=[", "--sampler 'ddim eta=[': '[' is not a value"),
        ("ddim etta=0.5", "unknown key 'etta'; did you mean 'eta'"),
        ("", "--sampler: an empty name"),
        ("own.Silent", "--sampler: own.Silent has no 'order', which samplers/_contract.py requires"),
        ("own.Nan", "sampler Nan: step 0 returned values that are not finite"),
        ("own.Short", "sampler Short: it stopped before the clean level"),
        ("own.Noisy", "sampler Noisy: declares stochastic = False and asks for noise"),
    ],
)
def test_a_mistake_is_one_line(few, own, tmp_path, text, said):
    with pytest.raises(UserError, match=re.escape(said)) as raised:
        oracle([text], tmp_path / "out")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_options_reach_the_sampler():
    assert entry_of("ddim eta=0.5").sampler == Ddim(0.5)
    assert entry_of("dpmpp_3m halved_curvature=true").sampler == Dpmpp3m(True)


def test_order_of_a_power_law():
    steps = [10, 20, 40]
    assert math.isclose(measured_order(steps, [3 * s**-2.5 for s in steps]), 2.5, rel_tol=1e-12)
    assert math.isnan(measured_order(steps, [1.0, 0.5, 0.0]))


def test_the_log_snr_chain_keeps_its_digits():
    chain = oracle_chain(LOG_SNR, 64)
    noise = (chain.sigmas[:-1] / chain.alphas[:-1]).log()
    torch.testing.assert_close(
        noise.diff(), torch.full((63,), -math.log(1e7) / 63, dtype=torch.float64), rtol=1e-12, atol=0
    )
    assert (chain.alphas**2 + chain.sigmas**2 - 1).abs().max() < 1e-15


def test_a_stack_is_its_spectra():
    stack, variances = Stack.of(spectra(4)), spectra(4)
    for name, variance in variances.items():
        place = stack.places[name]
        values = stack.data.variance[0, 0, place].repeat_interleave(stack.counts[place].long())
        torch.testing.assert_close(values, variance.flatten().sort().values)
    found = stack.frechet(torch.ones(1, 1, stack.shape[2]).double(), stack.data.variance)
    assert all(math.isclose(distance, 16, rel_tol=1e-12) for distance in found.values())


def test_the_recursion_is_the_samplers_code():
    chain, variance = respaced_chain("cosine", 1000, "20"), spectra(4)["1/f^4"]
    outcome = exact_outcome(Ancestral(), Gaussian(0.0, variance).denoiser(1.0), chain, (1, 4, 4))
    torch.testing.assert_close(sampling.ancestral_variance(chain, variance), outcome.variance, rtol=1e-11, atol=1e-16)
    # Scaled noise scales what is linear in it.
    cooled = sampling.ancestral_variance(chain, variance, noise_scale=0.98)
    torch.testing.assert_close(cooled, 0.98**2 * outcome.variance, rtol=1e-11, atol=1e-16)


def test_encoding_errs_by_the_gain_of_both_ways():
    chain, data = respaced_chain("linear", 1000, "2"), Gaussian(0.0, torch.full((1, 1, 1), 0.25).double())
    (a, s), (b, r) = ((float(chain.alphas[i]), float(chain.sigmas[i])) for i in (0, 1))
    low, high = 0.25 * a**2 + s**2, 0.25 * b**2 + r**2
    up, down = (0.25 * a * b + s * r) / high, (0.25 * a * b + s * r) / low
    assert math.isclose(float(sampling.encode_decode_error(chain, data)), (up * down - 1) ** 2 * high, rel_tol=1e-10)


def test_the_arithmetic_of_the_papers():
    found = [
        claim
        for family in (bound.prior, bound.decoder_share, bound.low_noise_share, sampling.skipping, sampling.noise_share)
        for claim in family()
    ]
    assert all(claim.as_expected for claim in found), printed(found)
    measured = {(claim.claim, claim.data): claim.measured for claim in found}
    # The values that were computed for these claims elsewhere, by other code.
    assert measured["DDPM-7", "linear, T=1000"] == "7.3e-06 bits/dim"
    assert measured["DDPM-7", "linear, T=100, betas not rescaled"] == "0.13 bits/dim"
    assert measured["IDDPM-7", "1/f^2, linear"] == "1.02 (3.9e-06 -> 4.0e-06)"
    shares = [float(measured["DDPM-5", f"{name}, linear"]) for name in ("1/f^2", "1/f^4", "low rank")]
    np.testing.assert_allclose(shares, [0.34, 0.49, 0.55], atol=0.011)


def test_precision_rises_where_the_paper_says_that_it_falls():
    ((before, after), (recall_before, recall_after)), low, _ = sampling.precision_gain(num_points=1000)
    assert low > 0 and after > before and recall_after < recall_before
    np.testing.assert_allclose([before, after, recall_before, recall_after], [0.794, 0.820, 0.783, 0.757], atol=0.03)


def test_a_verdict_that_turned_is_exit_code_1(few, tmp_path, monkeypatch):
    wrong = Claim("DDPM-7", "x", "s", "m", "t", holds=False, expected=True)
    monkeypatch.setattr("diffbench.commands.oracle.run.FAMILIES", [lambda: iter([wrong])])
    report, as_expected = oracle(["ddim"], tmp_path)
    assert not as_expected and "NOT AS EXPECTED" in report
    table = pandas.read_csv(tmp_path / "oracle_claims.csv")
    assert table["as_expected"].tolist() == [True, False] and table["verdict"].tolist() == ["holds", "fails"]


@pytest.mark.slow
def test_the_whole_command(tmp_path):
    command = [sys.executable, "-m", "diffbench.cli", "oracle", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr + done.stdout
    claims = pandas.read_csv(tmp_path / "oracle_claims.csv")
    assert claims["as_expected"].all()
    assert {"DDPM-5", "DDPM-7", "DDPM-8", "IDDPM-6", "IDDPM-7", "IDDPM-11", "DDIM-1", "DDIM-4", "ADM-9"} <= set(
        claims["claim"]
    )
    assert (claims["verdict"] == "fails").any()
    table = pandas.read_csv(tmp_path / "oracle.csv")
    assert set(table["data"]) == {*spectra(8), "mixture"} and (table["error"] > 0).all()
    assert (tmp_path / "oracle.png").stat().st_size > 10_000
