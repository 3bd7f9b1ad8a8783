"""Orders against torch.randperm, and the long ones, which would take gigabytes, against a plain twin."""

import numpy as np
import pytest
import torch

from torchlinear.kernels import orders
from torchlinear.kernels.orders import permutations, seeded


@pytest.mark.parametrize("seed", [0, 7, 123_456_789, 2**40 + 5, 2**63 - 1])
@pytest.mark.parametrize("n", [1, 2, 3, 50, 623, 624, 625, 10_000])
def test_they_are_torchs(seed: int, n: int) -> None:
    torchs, ours = torch.Generator().manual_seed(seed), seeded(seed)
    for many in (1, 3, 1):  # in one call or in several
        expected = [torch.randperm(n, generator=torchs, dtype=torch.int32) for _ in range(many)]
        assert torch.equal(torch.from_numpy(permutations(ours, n, many)), torch.cat(expected))


def test_a_copy_of_the_generator_draws_the_same_again() -> None:
    generator = seeded(3)
    permutations(generator, 500, 2)
    kept = generator.copy()
    assert np.array_equal(permutations(generator, 500, 3), permutations(kept, 500, 3))


def test_long_orders_take_64_bits_a_row(monkeypatch) -> None:
    n = 1_000
    monkeypatch.setattr(orders, "LONG", n)
    bits = np.random.MT19937()
    state = bits.state
    state["state"] = {"key": seeded(5)[:-1], "pos": 624}
    bits.state = state
    halves = bits.random_raw(2 * n).tolist()
    expected = [0] * n
    for i, (high, low) in enumerate(zip(halves[::2], halves[1::2])):
        place = (high << 32 | low) % (i + 1)
        expected[i] = expected[place]
        expected[place] = i
    assert permutations(seeded(5), n, 1).tolist() == expected
