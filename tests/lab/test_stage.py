"""What is known before a run: the optimum, and what the exact solver really took."""

import pytest

import torchlinear as tl
from torchlinear.engines.local import Local
from torchlinear.lab.origins import requested
from torchlinear.lab.plan import Plan
from torchlinear.lab.stage import Stage
from torchlinear.rows import TensorRows

CASES = {
    "squared": ({"kind": "tutorial"}, {}, None),
    "huber": ({"kind": "maker", "outliers": 0.2}, {"loss": "huber"}, None),
    "logistic": (
        {"kind": "builtin", "name": "breast_cancer"},
        {"penalty": {"kind": "l2", "strength": 0.1}, "standardize": True, "loss": "logistic"},
        tl.L2(0.1),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_passes_of_the_exact_solver_are_counted(name, monkeypatch):
    data_spec, more, penalty = CASES[name]
    data = requested(data_spec)
    features = list(data.features)[:3]
    body = {"target": data.target, "features": features, "runners": [{"solver": "exact"}], **more}
    stage = Stage.of(Plan.of(body, data))

    sums = []
    rows = type(Local().load(TensorRows(stage.numbers.X, stage.numbers.X)))
    plain = rows.sum
    monkeypatch.setattr(rows, "sum", lambda *given: sums.append(given[1]) or plain(*given))
    taken = []
    tl.fit(
        stage.numbers.X, stage.numbers.y, loss=stage.loss, penalty=penalty, callback=lambda *_: taken.append(len(sums))
    )  # fmt: skip
    assert stage.describe()["exact"]["passes"] == taken[-1]
    assert (taken[-1] == 1) == (name == "squared")
