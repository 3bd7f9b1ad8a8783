"""Orders of rows: the permutations of ``torch.randperm`` on a CPU, those of many epochs in one call.

Numbers are torch's: the Mersenne Twister MT19937, whose reference seeding turns a seed into 624 words (Matsumoto,
Nishimura 1998, "Mersenne Twister: a 623-dimensionally equidistributed uniform pseudo-random number generator"). A
permutation is Fisher and Yates's: place i is swapped with the place i + u % (n - i), u the next 32 bits. From
`LONG` rows on torch draws 64, and what comes i-th goes to the place u % (i + 1), whose own goes to place i.

>>> import torch
>>> from torchlinear.kernels.orders import permutations, seeded
>>> permutations(seeded(7), 5, 2).tolist()
[0, 1, 3, 2, 4, 3, 4, 1, 2, 0]
>>> g = torch.Generator().manual_seed(7)
>>> [torch.randperm(5, generator=g).tolist() for _ in range(2)]
[[0, 1, 3, 2, 4], [3, 4, 1, 2, 0]]
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels import compiled, inlined

__all__ = ["permutations", "seeded"]

WORDS, AHEAD = 624, 397
UPPER, LOWER, TWIST = np.uint32(0x80000000), np.uint32(0x7FFFFFFF), np.uint32(0x9908B0DF)
FIRST, SECOND = np.uint32(0x9D2C5680), np.uint32(0xEFC60000)
LONG = (2**32 - 1) // 20


def seeded(seed: int) -> NDArray[np.uint32]:
    """A generator: its words, and in the last place how many of them are used; shape (625,).

    Parameters
    ----------
    seed : int
        Of which the lowest 32 bits count, as in ``torch.Generator().manual_seed``.
    """
    words = np.random.RandomState(seed & 0xFFFFFFFF).get_state(legacy=False)["state"]["key"]
    return np.append(words, np.uint32(WORDS))


def permutations(generator: NDArray[np.uint32], n: int, many: int) -> NDArray[np.int32]:
    """Draw permutations of 0 ... n - 1, one after another; shape (many n,). The generator goes on.

    Parameters
    ----------
    generator : ndarray of uint32, shape (625,)
        As `seeded` made it; changed in place.
    n : int
        Rows, at most 2**31 - 1.
    many : int
        How many permutations.
    """
    orders = np.empty(many * n, dtype=np.int32)
    (_permute if n < LONG else _permute_long)(generator, n, orders)
    return orders


@inlined
def _renew(words: NDArray[np.uint32]) -> None:
    """Draw the next words."""
    for i in range(WORDS):
        j, ahead = i + 1, i + AHEAD
        mixed = (words[i] & UPPER) | (words[j if j < WORDS else 0] & LOWER)
        twist = TWIST if mixed & np.uint32(1) else np.uint32(0)
        words[i] = words[ahead if ahead < WORDS else ahead - WORDS] ^ (mixed >> np.uint32(1)) ^ twist


@inlined
def _drawn(generator: NDArray[np.uint32]) -> np.uint32:
    """The next 32 bits."""
    used = np.int64(generator[WORDS])
    if used == WORDS:
        _renew(generator)
        used = np.int64(0)
    generator[WORDS] = np.uint32(used + 1)
    word = generator[used]
    word ^= word >> np.uint32(11)
    word ^= (word << np.uint32(7)) & FIRST
    word ^= (word << np.uint32(15)) & SECOND
    return word ^ (word >> np.uint32(18))


@compiled("void(uint32[::1], int64, int32[::1])")
def _permute(generator: NDArray[np.uint32], n: int, orders: NDArray[np.int32]) -> None:
    for first in range(0, orders.size, n):
        order = orders[first : first + n]
        for i in range(n):
            order[i] = i
        for i in range(n - 1):
            place = i + np.int64(_drawn(generator) % np.uint32(n - i))
            order[i], order[place] = order[place], order[i]


@compiled("void(uint32[::1], int64, int32[::1])")
def _permute_long(generator: NDArray[np.uint32], n: int, orders: NDArray[np.int32]) -> None:
    for first in range(0, orders.size, n):
        order = orders[first : first + n]
        for i in range(n):
            high = np.uint64(_drawn(generator)) << np.uint64(32)
            place = np.int64((high | np.uint64(_drawn(generator))) % np.uint64(i + 1))
            order[i] = order[place]
            order[place] = i
