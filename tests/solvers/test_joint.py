"""Second derivatives of all classes together, against arithmetic of 50 digits."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
import torch

from torchlinear.engines.local import Local
from torchlinear.losses.softmax import Softmax
from torchlinear.rows import TensorRows
from torchlinear.solvers.joint import DAMPED, Joint
from torchlinear.summed import SummedObjective

K, ROWS = 3, 8
ROUNDING = 1e-12  # relative: of exponentials of at most 100


def exactly(Z: np.ndarray, eta: np.ndarray) -> np.ndarray:
    """``Z' diag(pi_a [a = b] - pi_a pi_b) Z`` for each pair of classes, by 50 digits."""
    q = Z.shape[1]
    H = [[mp.mpf(0)] * (K * q) for _ in range(K * q)]
    with mp.workdps(50):
        for z, row in zip(Z.tolist(), eta.tolist()):
            terms = [mp.exp(mp.mpf(e)) for e in row]
            pi = [term / mp.fsum(terms) for term in terms]
            for a, b, i, j in np.ndindex(K, K, q, q):
                bend = pi[a] * (int(a == b) - pi[b])
                H[a * q + i][b * q + j] += bend * mp.mpf(z[i]) * mp.mpf(z[j])
    return np.array([[float(entry) for entry in line] for line in H])


@pytest.mark.parametrize("far", [1.0, 10.0, 25.0])
def test_they_keep_their_digits_where_a_class_is_all_but_sure(far: float, rng: np.random.Generator) -> None:
    X = torch.from_numpy(rng.uniform(1.0, 2.0, size=(ROWS, 1)))  # of one sign, so that sums do not cancel
    y = torch.from_numpy(rng.integers(0, K, size=(ROWS, 1)).astype(float))
    coef = torch.tensor([[far, 0.0, -far], [0.0, 0.0, 0.0]], dtype=torch.float64)
    problem = SummedObjective(Softmax(), None, Local().load(TensorRows(X, y)), intercept=False, n_outputs=K)
    model = Joint.at(problem, coef)
    assert model is not None
    scale = model.scale.T.ravel()
    found = (model.H - DAMPED * np.eye(K)) * np.outer(scale, scale)
    np.testing.assert_allclose(found, exactly(X.numpy(), (X @ coef[:1]).numpy()), rtol=ROUNDING)
