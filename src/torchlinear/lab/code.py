"""The programs that do what a run does: the plain PyTorch loops, and the call of torchlinear.

Both are written from the record of the run, begin with its data, and run as they are: tests execute them and compare
where they end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torchlinear.lab.data import DataSet, Term
from torchlinear.lab.loops import RULES, exact_of, loop_of, second_order
from torchlinear.lab.plan import Entrant, Plan
from torchlinear.lab.safety import Refused
from torchlinear.lab.stage import Stage

__all__ = ["program"]

CRITERIA = {
    "squared": "nn.MSELoss()",
    "huber": "nn.HuberLoss(delta={delta})",
    "logistic": "nn.BCEWithLogitsLoss()",
    "softmax": "nn.CrossEntropyLoss()",
}


def program(
    stage: Stage, runner: str | None = None, cut: Mapping[str, float] | None = None
) -> dict[str, str]:
    """The programs of a run, or of one of its runners: ``torch`` and ``torchlinear``.

    `cut` has the passes of runners whose time was over before their epochs were.
    """
    entrants = [racer.entrant for racer in stage.running]
    if runner is not None:
        entrants = [entrant for entrant in entrants if entrant.id == runner]
        if not entrants:
            raise Refused(404, "no_runner")
    notes = "".join(
        f"# {entrant.id} was stopped in the lab after {cut[entrant.id]:,.4g} passes; here it runs to its end.\n"
        for entrant in entrants
        if cut and entrant.id in cut
    )
    return {
        "torch": notes + _torch(stage, entrants),
        "torchlinear": notes + _torchlinear(stage, entrants),
        "runner": runner or "all",
    }


def _torch(stage: Stage, entrants: Sequence[Entrant]) -> str:
    plan, shape = stage.plan, stage.best.shape
    descending = [entrant for entrant in entrants if entrant.lr is not None]
    others = [entrant for entrant in entrants if entrant.lr is None]
    uses_optim = descending or any(entrant.solver == "lbfgs" for entrant in others)
    imports = ["import torch", f"from torch import nn{', optim' if uses_optim else ''}"]
    y = "y" if plan.loss == "softmax" else "y.reshape(-1, 1)"
    y += ".double()" if plan.loss == "logistic" else ""
    parts = [_data(plan, imports), *([f"y = {y}"] if y != "y" else [])]
    parts.append(f"criterion = {CRITERIA[plan.loss].format(delta=plan.delta)}\nfound = {{}}")
    if descending:
        parts.append(_start_of_models(stage))
        parts += [loop_of(entrant, plan, stage.numbers) for entrant in descending]
    if others:
        parts.append(second_order(plan, stage.plan.start, shape))
        parts += [exact_of(entrant, plan) for entrant in others]
    parts.append("for name, coef in found.items():\n    print(name, coef.tolist())")
    return "\n\n".join(["\n".join(imports), *parts]) + "\n"


def _start_of_models(stage: Stage) -> str:
    p, k = stage.best.shape[0] - 1, stage.best.shape[1]
    if stage.plan.start is None:
        filled = "    nn.init.zeros_(model.weight)\n    nn.init.zeros_(model.bias)"
    else:
        start = stage.start
        filled = (
            "    with torch.no_grad():\n"
            f"        model.weight.copy_(torch.tensor({start[:-1].T.tolist()}, dtype=torch.float64))\n"
            f"        model.bias.copy_(torch.tensor({start[-1].tolist()}, dtype=torch.float64))"
        )
    return f"""\
def start():
    model = nn.Linear({p}, {k}, dtype=torch.float64)
{filled}
    return model


def coefficients(model):  # a row for each feature, the last one is the intercept
    return torch.cat([model.weight.T, model.bias[None]]).detach()
"""


def _torchlinear(stage: Stage, entrants: Sequence[Entrant]) -> str:
    plan = stage.plan
    imports = ["import torch", "import torchlinear as tl"]
    data = _data(plan, imports)
    options = [f"loss={_loss(plan)}"] if plan.loss != "squared" else []
    if stage.penalty is not None:
        options.append(f"penalty=tl.{'L1' if plan.penalty == 'l1' else 'L2'}({plan.strength!r})")
    if [entrant.solver for entrant in entrants] == ["exact"]:
        call = f"fit = tl.fit({', '.join(['X', 'y', *options])})\nprint(fit.equation)"
    else:
        solvers = "".join(f"        {_solver(entrant, plan)},\n" for entrant in entrants)
        options.append(f"epochs={plan.epochs:_}")
        options += [f"start={[list(row) for row in plan.start]}"] if plan.start is not None else []
        call = (
            f"race = tl.race(\n    X, y,\n    solvers=[\n{solvers}    ],\n    {', '.join(options)},\n)\n"
            "for runner in race.standings():\n"
            '    print(f"{runner.label}: {runner.final:.3g} of the way is left", runner.coef[-1].tolist())'
        )
    return "\n\n".join(["\n".join(imports), data, call]) + "\n"


def _loss(plan: Plan) -> str:
    return f"tl.Huber({plan.delta!r})" if plan.loss == "huber" else f'"{plan.loss}"'


def _solver(entrant: Entrant, plan: Plan) -> str:
    if entrant.lr is None:
        return f'"{entrant.solver}"'
    options: dict[str, Any] = {"lr": entrant.lr}
    if entrant.batch_size is not None:
        options |= {"batch_size": entrant.batch_size, "seed": plan.seed}
    if entrant.momentum:
        options["momentum"] = entrant.momentum
    rule = RULES.get(entrant.solver, "SGD")
    return f"tl.{rule}({', '.join(f'{name}={value!r}' for name, value in options.items())})"


def _data(plan: Plan, imports: list[str]) -> str:
    """Statements that make X and y; what they need is added to `imports`."""
    origin, terms = plan.data.origin, [plan.data.term(name) for name in plan.features]
    imports += origin.imports
    lines = [origin.lines]
    if origin.frame:
        columns = list(dict.fromkeys(term.column.name for term in terms))
        lines.append(f"columns = {columns!r}")
        if any(plan.data.columns[name].describe()["missing"] for name in (*columns, plan.target)):
            lines.append(f"data = data.dropna(subset=[*columns, {plan.target!r}])")
        lines += _coded(plan, terms)
    else:
        lines.append(f"X = torch.stack([data[name] for name in {list(plan.features)!r}], dim=1)")
    lines.append(_target(plan.data, plan, imports))
    if plan.standardize:
        lines.append("X = (X - X.mean(dim=0)) / X.std(dim=0, correction=0)")
    return "\n".join(lines)


def _coded(plan: Plan, terms: Sequence[Term]) -> list[str]:
    """Statements that make X of the columns of a frame: a column of zeros and ones for each label but the first."""
    if all(term.place is None for term in terms):
        return ["X = torch.tensor(data[columns].to_numpy(dtype=float))"]
    lines = ["features = {"]
    for name, term in zip(plan.features, terms):
        values = f"data[{term.column.name!r}]"
        if term.place is not None and term.column.levels is not None:
            label = term.column.levels[term.place]
            values += f".astype(str) == {label!r}" if plan.data.kind == "file" else f" == {term.place}"
        lines.append(f"    {name!r}: {values},")
    made = "torch.tensor(values.to_numpy(dtype=float)) for values in features.values()"
    return [*lines, "}", f"X = torch.stack([{made}], dim=1)"]


def _target(data: DataSet, plan: Plan, imports: list[str]) -> str:
    column = data.columns[plan.target]
    values = f"data[{plan.target!r}]"
    if column.levels is not None and data.kind == "file":
        imports.append("import numpy as np")
        return f"y = torch.tensor(np.unique({values}.astype(str), return_inverse=True)[1])"
    if data.origin.frame:
        values = f"torch.tensor({values}.to_numpy(dtype=float))"
    return f"y = torch.unique({values}, return_inverse=True)[1]" if plan.of_classes else f"y = {values}"
