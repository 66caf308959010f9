"""Streams: known answers of the generator, independence of how the work is cut, and the distributions drawn from."""

import math

import pytest
import torch

from diffbench.base.philox import (
    MULTIPLIERS,
    Fused,
    fusible_normals,
    fusible_words,
    normals,
    philox,
    without_overflow,
    words,
    wrapped,
)
from diffbench.base.seeds import PURPOSES, Stream, key_of, permutation, seed_torch

torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        # Random123 1.14, tests/kat_vectors, philox4x32 with 10 rounds.
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
    ids=["zeros", "ones", "pi"],
)
def test_known_answers(counter, key, answer):
    words = philox([torch.tensor([word]) for word in counter], key)
    assert tuple(int(word) for word in words) == answer


NORMALS = {
    (0, "x_T", 0, 0): [
        0.7306652665138245,
        0.15616749227046967,
        -0.567280650138855,
        -1.1718453168869019,
        0.5743588209152222,
    ],
    (3, "step", (1 << 33) + 5, 7): [0.6015549302101135, -0.9050758481025696, 1.135988473892212, -1.1158515214920044],
    ("0x", "train", 2, 2**31 + 3): [0.5038765072822571, -0.5938074588775635, 0.6400443315505981, -0.35679909586906433],
    (1, "bound", 4, 5): [1.2813019752502441, 0.5637903809547424, -0.26473572850227356, -0.16392268240451813],
}
"""By seed, purpose, index and draw. A change here is a change of every sample and every training."""


@pytest.mark.parametrize("where", NORMALS, ids=str)
def test_normals_are_these_numbers(where):
    seed, purpose, index, draw = where
    found = Stream(seed, purpose).normal(torch.tensor([index]), draw, (len(NORMALS[where]),))[0]
    # One unit in the last place, for the logarithm and the cosine of another processor.
    torch.testing.assert_close(found, torch.tensor(NORMALS[where]), rtol=1.2e-7, atol=0)


def test_normals_are_box_and_mullers_transform_of_the_words():
    stream, index = Stream(5, "step"), torch.tensor([3])
    words = stream.words(index, 2, 6)[0].tolist()
    expected = []
    for first, second in zip(words[::2], words[1::2], strict=True):
        radius = math.sqrt(-2 * math.log((first + 0.5) / 2**32))
        angle = 2 * math.pi * (second + 0.5) / 2**32
        expected += [radius * math.cos(angle), radius * math.sin(angle)]
    torch.testing.assert_close(stream.normal(index, 2, (6,))[0], torch.tensor(expected), rtol=1.2e-7, atol=0)


def test_orders_integers_coins_and_torchs_seeds_are_these_numbers():
    assert permutation(0, 0, 8).tolist() == [5, 4, 2, 7, 6, 3, 0, 1]
    assert permutation("7", 3, 8).tolist() == [7, 0, 6, 3, 4, 2, 5, 1]
    stream, index = Stream(2, "label"), torch.tensor([0, 1, (1 << 33) + 5])
    assert stream.integers(index, 1, 1000).tolist() == [470, 480, 767]
    assert stream.bits(index, 1).tolist() == [False, False, True]
    assert stream.uniform(index, 1)[:, 0].tolist() == [0.4703400823054835, 0.4800333435414359, 0.7679301082389429]
    seeds = []
    for where in ((0, "init"), (3, "dropout", 9)):
        seed_torch(*where)
        seeds.append(torch.initial_seed())
    assert seeds == [5592186415133566638, 7485284679221942502]


def test_words_are_the_generator_at_the_documented_counter():
    stream, index = Stream(3, "step"), (1 << 33) + 5
    words = stream.words(torch.tensor([index]), 7, 6)[0].tolist()
    blocks = [
        philox([torch.tensor([word]) for word in (block, 7, 5, 2 | PURPOSES["step"] << 24)], key_of(3))
        for block in (0, 1)
    ]
    assert words == [int(word) for block in blocks for word in block][:6]


def test_a_draw_depends_on_its_index_alone():
    stream, order = Stream(0, "x_T"), torch.randperm(40, generator=torch.Generator().manual_seed(0))
    whole = stream.normal(torch.arange(40), 3, (2, 3, 3))
    assert torch.equal(stream.normal(order, 3, (2, 3, 3)), whole[order])
    assert torch.equal(torch.cat([stream.normal(part, 3, (2, 3, 3)) for part in order.split(7)]), whole[order])
    assert torch.equal(stream.normal(torch.tensor([8, 8]), 3, (2, 3, 3)), whole[[8, 8]])


def test_one_draw_per_index_equals_scalar_draws():
    stream, index, draws = Stream(1, "bound"), torch.tensor([4, 9, 4]), torch.tensor([0, 5, 2**31 + 3])
    together = stream.normal(index, draws, (5,))
    for row in range(3):
        assert torch.equal(together[row], stream.normal(index[row : row + 1], int(draws[row]), (5,))[0])
    for kind in ("integers", "uniform", "bits"):
        more = {"integers": (1000,)}.get(kind, ())
        together = getattr(stream, kind)(index, draws, *more)
        single = [getattr(stream, kind)(index[r : r + 1], int(draws[r]), *more)[0] for r in range(3)]
        assert torch.equal(together, torch.stack(single))


def test_a_longer_draw_begins_with_the_shorter():
    stream, index = Stream(0, "step"), torch.arange(3)
    assert torch.equal(stream.normal(index, 0, (7,)), stream.normal(index, 0, (20,))[:, :7])


def test_other_seed_purpose_draw_or_index_gives_other_numbers():
    index = torch.arange(2)
    found = [
        Stream(seed, purpose).words(index, draw, 4).flatten().tolist()
        for seed in (0, 1, "0x")
        for purpose in PURPOSES
        for draw in (0, 1)
    ]
    words = [word for row in found for word in row]
    # 432 draws of 32 bits collide with probability 2e-5; equal streams would collide in whole rows.
    assert len(set(words)) == len(words)
    assert len(set(PURPOSES.values())) == len(PURPOSES)


def test_normals_have_the_moments_of_a_standard_normal():
    x = Stream(5, "x_T").normal(torch.arange(4000), 0, (50,)).double()
    n = x.numel()
    assert x.dtype == torch.float64 and torch.isfinite(x).all()
    for power, moment in ((1, 0), (2, 1), (3, 0), (4, 3)):
        variance = math.prod(range(2 * power - 1, 0, -2)) - moment**2
        assert abs((x**power).mean() - moment) < 4 * math.sqrt(variance / n)
    tail = (x.abs() > 1.959963984540054).double().mean()
    assert abs(tail - 0.05) < 4 * math.sqrt(0.05 * 0.95 / n)
    # Box and Muller's two halves, neighbouring images and neighbouring draws are uncorrelated.
    other = Stream(5, "x_T").normal(torch.arange(4000), 1, (50,)).double()
    for a, b in ((x[:, ::2], x[:, 1::2]), (x[:-1], x[1:]), (x, other)):
        assert abs((a * b).mean()) < 4 / math.sqrt(a.numel())


def test_normals_are_float32_and_odd_sizes_are_filled():
    x = Stream(0, "x_T").normal(torch.arange(2), 0, (3, 3, 3))
    assert x.dtype == torch.float32 and x.shape == (2, 3, 3, 3) and (x != 0).all()


def test_uniforms_integers_and_coins():
    stream, index = Stream(2, "label"), torch.arange(20_000)
    u = stream.uniform(index, 0)[:, 0]
    assert 0 < u.min() and u.max() < 1 and abs(u.mean() - 0.5) < 4 / math.sqrt(12 * len(u))
    drawn = stream.integers(index, 1, 7)
    counts = torch.bincount(drawn, minlength=7).double()
    expected = len(drawn) / 7
    assert len(counts) == 7 and (((counts - expected) ** 2) / expected).sum() < 27.9  # chi2(6) at 1e-4
    assert abs(stream.bits(index, 2).double().mean() - 0.5) < 4 * 0.5 / math.sqrt(len(index))
    assert stream.bits(index, 2).dtype == torch.bool


def test_permutations_are_orders_that_change_with_seed_and_epoch():
    orders = [permutation(seed, epoch, 100) for seed in (0, 1) for epoch in (0, 1)]
    for order in orders:
        assert torch.equal(order.sort().values, torch.arange(100))
    assert len({tuple(order.tolist()) for order in orders}) == 4
    assert torch.equal(permutation(0, 1, 100), orders[1])


def test_torchs_own_generator_is_seeded_by_seed_purpose_and_draw():
    def drawn(*arguments):
        seed_torch(*arguments)
        return torch.rand(4)

    assert torch.equal(drawn(0, "init"), drawn(0, "init"))
    others = [(0, "init"), (1, "init"), (0, "dropout"), (0, "dropout", 1)]
    assert len({tuple(drawn(*arguments).tolist()) for arguments in others}) == 4


def test_an_unknown_purpose_is_refused():
    with pytest.raises(KeyError, match="nosie"):
        Stream(0, "nosie")


def test_a_product_without_overflow_has_the_same_halves():
    words = torch.tensor([0, 1, 0xFFFF, 0x10000, 0x80000000, 0xFFFFFFFF, 0xD2511F53], dtype=torch.int64)
    for factor in MULTIPLIERS:
        halves = [half.tolist() for half in without_overflow(words, factor)]
        assert halves == [half.tolist() for half in wrapped(words, factor)]
        assert halves[0] == [word * factor >> 32 for word in words.tolist()]


FUSIBLE = [(3, 0, 768), (2, 7, 5), (1, 2**31 + 5, 1), (4, torch.tensor([0, 3, 2**31, 9]), 14)]


@pytest.mark.parametrize("count, draw, size", FUSIBLE)
def test_what_one_kernel_is_made_of_gives_the_same_numbers(count, draw, size):
    index, key = torch.arange(count) + 2**33, key_of("a seed")
    named, draw = torch.tensor([*key, PURPOSES["step"]]), torch.as_tensor(draw)
    own = words(index, draw, key, PURPOSES["step"], size)
    assert torch.equal(fusible_words(index, draw, named, size), own)
    torch.testing.assert_close(
        fusible_normals(index, draw, named, size), normals(index, draw, key, PURPOSES["step"], size), rtol=2e-7, atol=0
    )


@pytest.mark.slow
def test_compiled_words_are_the_same():
    """The compiler here is that for the CPU; a GPU's was not tried."""
    index, key = torch.arange(5) + 2**40, key_of(3)
    named, draw = torch.tensor([*key, PURPOSES["train"]]), torch.tensor(12)
    found = torch.compile(fusible_words, dynamic=False, fullgraph=True)(index, draw, named, 10)
    assert torch.equal(found, words(index, draw, key, PURPOSES["train"], 10))
    found = torch.compile(fusible_normals, dynamic=False, fullgraph=True)(index, draw, named, 30)
    torch.testing.assert_close(found, normals(index, draw, key, PURPOSES["train"], 30), rtol=2e-7, atol=0)


def test_without_a_compiler_a_line_says_so_and_the_numbers_are_the_same(monkeypatch, capsys):
    def broken(*arguments):
        raise RuntimeError("no compiler\nand more")

    monkeypatch.setattr(torch, "compile", lambda function, dynamic: broken)
    fused, given = Fused(fusible_words), (torch.arange(3), torch.tensor(0), torch.tensor([1, 2, 3]), 6)
    assert torch.equal(fused(*given), fusible_words(*given)) and torch.equal(fused(*given), fusible_words(*given))
    line = "diffbench: noise is drawn by many small kernels, since none was compiled: no compiler\n"
    assert capsys.readouterr().err == line
