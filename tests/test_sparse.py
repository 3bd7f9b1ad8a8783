"""Sparse rows give what the same rows give when dense."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from torch import Tensor

import torchlinear as tl
from torchlinear.api import objective_of, solve
from torchlinear.block import Block, taken
from torchlinear.losses.base import Loss
from torchlinear.losses.softmax import Softmax
from torchlinear.penalties.base import Penalty
from torchlinear.rows import Rows, TensorRows
from torchlinear.sparse import SparseRows, as_csr

N, P = 300, 12
INDICES = [np.int32, np.int64]
CASES: list[tuple[Loss, Penalty | None]] = [
    (tl.Squared(), None),
    (tl.Squared(), tl.L1(0.1)),
    (tl.Binomial(), None),
    (tl.Binomial(), tl.L1(0.01)),
    (tl.Poisson(), tl.L2(0.1)),
    (Softmax(), tl.L2(0.1)),
    (Softmax(), tl.L1(0.01)),
]


@pytest.fixture
def dense(rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.normal(size=(N, P)) * (rng.random((N, P)) < 0.2))


def targets(loss: Loss, X: Tensor, rng: np.random.Generator) -> Tensor:
    eta = X[:, 0].numpy() - X[:, 1].numpy()
    y: Any = {
        "squared": eta + rng.normal(size=N),
        "binomial": eta > rng.normal(size=N),
        "poisson": rng.poisson(np.exp(0.3 * eta)),
        "softmax": rng.integers(0, 3, size=N),
    }[loss.name]
    return torch.from_numpy(np.asarray(y, dtype=np.float64))[:, None]


@pytest.mark.parametrize(("loss", "penalty"), CASES, ids=lambda value: str(value))
@pytest.mark.parametrize("intercept", [True, False])
def test_the_same_optimum(
    loss: Loss, penalty: Penalty | None, intercept: bool, dense: Tensor, rng: np.random.Generator
) -> None:
    y, weight = targets(loss, dense, rng), torch.from_numpy(rng.integers(0, 3, size=N).astype(float))
    rows: list[Rows] = [SparseRows(as_csr(dense.to_sparse_csr()), y, weight), TensorRows(dense, y, weight)]
    outputs = 3 if loss.name == "softmax" else None
    found, truth = (
        solve(objective_of(loss, penalty, part, intercept=intercept, n_outputs=outputs)) for part in rows
    )
    assert found.status is tl.Status.CONVERGED
    torch.testing.assert_close(found.coef, truth.coef, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_sum_of_a_block(index: Any, dtype: Any, dense: Tensor, rng: np.random.Generator) -> None:
    matrix = scipy.sparse.csr_array(dense.numpy().astype(dtype))
    matrix.indptr, matrix.indices = matrix.indptr.astype(index), matrix.indices.astype(index)
    X = torch.from_numpy(matrix.toarray()).double()
    y, weight = torch.from_numpy(rng.normal(size=(N, 2))), torch.from_numpy(rng.uniform(size=N))
    sparse, plain = Block(as_csr(matrix), y, weight), Block(X, y, weight)
    coef, r = torch.from_numpy(rng.normal(size=(P + 1, 2))), torch.from_numpy(rng.normal(size=(N, 2)))
    torch.testing.assert_close(sparse.predict(coef), plain.predict(coef), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(sparse.pull(r), plain.pull(r), rtol=1e-12, atol=1e-12)
    shift = sparse.shift()
    assert (shift[:P] == 0).all()
    for name in ("mean", "squares"):
        theirs = getattr(plain.spread(shift), name)
        np.testing.assert_allclose(getattr(sparse.spread(shift), name), theirs, rtol=1e-10, atol=1e-12)
    ours, theirs = sparse.moments(shift), plain.moments(shift)
    np.testing.assert_allclose(ours.cross.high, theirs.cross.high, rtol=1e-10, atol=1e-12)
    beta, centre = rng.normal(size=(P, 2)), rng.normal(size=P + 2)
    left, right = (part.residuals(centre, beta) for part in (sparse, plain))
    np.testing.assert_allclose(left.pull.high, right.pull.high, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(left.squares, right.squares, rtol=1e-12)
    index_of = torch.tensor([3, 0, 3, N - 1])
    assert torch.equal(taken(sparse.X, index_of).to_dense().double(), X[index_of])


def test_rows_without_weight_and_bad_values(dense: Tensor) -> None:
    X = dense.clone()
    X[5, 2] = torch.inf
    weight = torch.ones(N, dtype=torch.float64)
    weight[5] = 0.0
    block = Block(as_csr(X.to_sparse_csr()), X[:, :1], weight)
    assert torch.equal(block.counted().X.to_dense(), torch.cat([X[:5], X[6:]]))
    assert block.nonfinite().tolist() == [0, 0, 1] + [0] * (P - 2)


def test_shards_are_cut_without_a_copy(rng: np.random.Generator) -> None:
    from torchlinear.rows import SHARD_ROWS

    n = SHARD_ROWS + 7
    matrix = scipy.sparse.random_array((n, 3), density=0.1, format="csr", rng=rng)
    rows = SparseRows(as_csr(matrix), torch.zeros(n, 1))
    blocks = [block for shard in rows.shards() for block in rows.blocks(shard)]
    assert [block.X.shape[0] for block in blocks] == [SHARD_ROWS, 7]
    np.testing.assert_array_equal(blocks[1].X.to_dense().numpy(), matrix[SHARD_ROWS:].toarray())


@pytest.mark.parametrize(
    "kind", [scipy.sparse.csr_array, scipy.sparse.csc_matrix, scipy.sparse.coo_array, "torch"]
)
def test_fit_and_predict_take_sparse_rows_of_any_kind(
    kind: Any, dense: Tensor, rng: np.random.Generator
) -> None:
    X = dense.to_sparse_csr() if kind == "torch" else kind(dense.numpy())
    y = targets(tl.Binomial(), dense, rng)[:, 0]
    fit, truth = (tl.fit(part, y, loss="logistic") for part in (X, dense))
    torch.testing.assert_close(fit.coef, truth.coef, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(
        np.asarray(fit.predict_proba(X)), truth.predict_proba(dense).numpy(), rtol=1e-9
    )
    assert fit.names == truth.names
    lasso = tl.fit(X, dense[:, 0] + 0.1 * y, penalty=tl.L1(0.01), offset=y.numpy())
    plain = tl.fit(dense, dense[:, 0] + 0.1 * y, penalty=tl.L1(0.01), offset=y.numpy())
    torch.testing.assert_close(lasso.coef, plain.coef, rtol=1e-9, atol=1e-11)


def test_many_sparse_columns_need_no_matrix_of_all_pairs(rng: np.random.Generator) -> None:
    n, p = 2_000, 60_000  # p x p would be 29 GB
    X = scipy.sparse.random_array((n, p), density=1e-3, format="csr", rng=rng)
    y = (X[:, :50].sum(axis=1) > np.median(X[:, :50].sum(axis=1))).astype(float)
    fit = tl.fit(X, y, loss="logistic", penalty=tl.L2(1e-3))
    assert fit.status is tl.Status.CONVERGED
    assert (fit.predict(X) == y).mean() > 0.8


def test_what_sparse_rows_cannot_be() -> None:
    with pytest.raises(tl.DataError, match=r"X has shape \(0, 3\)"):
        tl.fit(scipy.sparse.csr_array((0, 3)), [])
    with pytest.raises(tl.DataError, match=r"NaN or inf \(x1: 1\)"):
        tl.fit(scipy.sparse.csr_array([[1.0, np.nan], [0.0, 1.0], [2.0, 0.0]]), [1.0, 2.0, 3.0])
    with pytest.raises(tl.InvalidInput, match="saga"):
        tl.fit(scipy.sparse.csr_array(np.eye(3)), [1.0, 2.0, 3.0], solver="saga")
