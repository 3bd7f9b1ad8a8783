"""The loops in plain PyTorch, one text for each way that a runner goes."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent

from torchlinear.lab.plan import Entrant, Numbers, Plan

__all__ = ["RULES", "exact_of", "loop_of", "second_order"]

RULES = {"adagrad": "Adagrad", "rmsprop": "RMSprop", "adam": "Adam"}

STEP = """\
optimizer.zero_grad()
loss.backward()
optimizer.step()"""

# Least squares as one system: the penalty is a few rows more.
SQUARED = """\
A = torch.cat([X, torch.ones(len(X), 1, dtype=torch.float64)], dim=1)"""
RIDGED = """\
ridge = (len(X) * {strength} / 2) ** 0.5 * torch.eye(A.shape[1], dtype=torch.float64)[:-1]
A, b = torch.cat([A, ridge]), torch.cat([y, torch.zeros(len(ridge), 1, dtype=torch.float64)])"""
SOLVED = """\
found["{id}"] = torch.linalg.lstsq(A, {b}, driver="gelsd").solution"""

NEWTON = """\
coef = first.clone()
for step in range(100):
    down = slope(coef).reshape(-1, 1)
    hessian = torch.autograd.functional.hessian(objective, coef).reshape(len(down), -1)
    way = torch.linalg.lstsq(hessian, down, driver="gelsd").solution.reshape(coef.shape)
    size = 1.0
    while size > 1e-10 and not objective(coef - size * way) < objective(coef):
        size /= 2
    if size <= 1e-10:
        break
    coef = coef - size * way
found["{id}"] = coef"""

# Huber's loss is flat in its second derivative far off: parabolas that touch it from above (Huber 1981, section 7.8).
REWEIGHTED = """\
A = torch.cat([X, torch.ones(len(X), 1, dtype=torch.float64)], dim=1)
ridge = len(X) * {strength} * torch.eye(A.shape[1], dtype=torch.float64)
ridge[-1, -1] = 0.0
coef = first.clone()
for step in range(10_000):
    weight = ({delta} / (y - A @ coef).abs().clamp(min=1e-300)).clamp(max=1)
    new = torch.linalg.lstsq(A.T @ (weight * A) + ridge, A.T @ (weight * y), driver="gelsd").solution
    moved, coef = (new - coef).abs().max(), new
    if moved <= 1e-13 * coef.abs().max():
        break
found["{id}"] = coef"""

LBFGS = """\
coef = first.clone().requires_grad_()
optimizer = optim.LBFGS(
    [coef], max_iter=10_000, history_size=20,
    tolerance_grad=1e-10, tolerance_change=1e-16, line_search_fn="strong_wolfe",
)


def closure():
    optimizer.zero_grad()
    loss = objective(coef)
    loss.backward()
    return loss


optimizer.step(closure)
found["{id}"] = coef.detach()"""

# Accelerated proximal gradient steps, begun anew where they turn uphill.
LASSO = """\
A = torch.cat([X, torch.ones(len(X), 1, dtype=torch.float64)], dim=1)
size = len(X) / ({bend} * torch.linalg.matrix_norm(A, 2) ** 2)
coef, ahead, t = first.clone(), first.clone(), 1.0
for step in range(200_000):
    new = ahead - size * slope(ahead)
    new[:-1] = torch.sign(new[:-1]) * (new[:-1].abs() - size * {strength}).clamp(min=0)
    if ((ahead - new) * (new - coef)).sum() > 0:
        t = 1.0
    t, before = (1 + (1 + 4 * t * t) ** 0.5) / 2, t
    moved, coef, ahead = (new - coef).abs().max(), new, new + (before - 1) / t * (new - coef)
    if moved <= 1e-14 * new.abs().max():
        break
found["{id}"] = coef"""
BEND = {"squared": "2", "huber": "1", "logistic": "0.25", "softmax": "0.5"}  # largest curvature of a row


# The proximal step of a lasso penalty, in the metric of the rule (see `kernels.update.shrink`).
SHRINK = """\
with torch.no_grad():  # the lasso: small weights become exactly 0
    state, weight = optimizer.state[model.weight], model.weight
    size = {metric}
    kept = weight.sign() * (weight.abs() - {strength} * size).clamp(min=0)
{buffer}    weight.copy_(kept)"""
BUFFER = """\
    state["momentum_buffer"] += (weight - kept) / {lr}
"""
METRICS = {
    "adagrad": '{lr} / (state["sum"].sqrt() + 1e-10)',
    "rmsprop": '{lr} / (state["square_avg"].sqrt() + 1e-8)',
    "adam": '{lr} / ((state["exp_avg_sq"] / (1 - 0.999 ** state["step"].item())).sqrt() + 1e-8)',
}


def loop_of(entrant: Entrant, plan: Plan, numbers: Numbers) -> str:
    """The loop of a runner that descends."""
    size, n = entrant.batch_size, len(numbers.X)
    rows = "all rows" if size is None else "one row" if size == 1 else f"{size:,} rows"
    momentum = f", momentum={entrant.momentum!r}" if entrant.momentum else ""
    rule = RULES.get(entrant.solver, "SGD")
    lines = [
        f"# {entrant.id}: {rows} a step",
        "model = start()",
        f"optimizer = optim.{rule}(model.parameters(), lr={entrant.lr!r}{momentum})",
    ]
    step = STEP + _shrink(entrant, plan)
    if size is None or size >= n:
        body = f"loss = {_loss('model(X)', 'y', plan)}\n{step}"
    else:
        lines.append(f"order = torch.Generator().manual_seed({plan.seed})")
        inner = f"loss = {_loss('model(X[rows])', 'y[rows]', plan)}\n{step}"
        split = f"for rows in torch.randperm({n}, generator=order).split({size}):"
        body = f"{split}\n{indent(inner, '    ')}"
    lines += [f"for epoch in range({plan.epochs:_}):", indent(body, "    ")]
    return "\n".join([*lines, f'found["{entrant.id}"] = coefficients(model)'])


def _shrink(entrant: Entrant, plan: Plan) -> str:
    if plan.penalty != "l1" or not plan.strength:
        return ""
    metric = METRICS.get(entrant.solver, "{lr}").format(lr=repr(entrant.lr))
    buffer = BUFFER.format(lr=repr(entrant.lr)) if entrant.momentum else ""
    return "\n" + SHRINK.format(metric=metric, strength=repr(plan.strength), buffer=buffer)


def _loss(scores: str, y: str, plan: Plan) -> str:
    penalty = ""
    if plan.penalty == "l2" and plan.strength:
        penalty = f" + {plan.strength / 2!r} * model.weight.square().sum()"
    return f"criterion({scores}, {y}){penalty}"


def second_order(plan: Plan, start: Sequence[Sequence[float]] | None, shape: Sequence[int]) -> str:
    """What the loops share that do not descend by gradients: the objective as a function, and the start."""
    first = f"torch.zeros({shape[0]}, {shape[1]}, dtype=torch.float64)"
    if start is not None:
        first = f"torch.tensor({[list(row) for row in start]}, dtype=torch.float64)"
    ridge = (
        f" + {plan.strength / 2!r} * coef[:-1].square().sum()"
        if plan.penalty == "l2" and plan.strength
        else ""
    )
    return f"""\
first = {first}  # a row for each feature, the last one is the intercept


def objective(coef):
    return criterion(X @ coef[:-1] + coef[-1], y){ridge}


def slope(coef):
    coef = coef.detach().requires_grad_()
    return torch.autograd.grad(objective(coef), coef)[0]
"""


def exact_of(entrant: Entrant, plan: Plan) -> str:
    """The loop of a runner that ends at the optimum."""
    words = {"exact": "the optimum", "newton": "Newton's method", "lbfgs": "L-BFGS"}[entrant.solver]
    title = f"# {entrant.id}: {words}"
    if plan.penalty == "l1" and plan.strength:
        body = LASSO.format(id=entrant.id, strength=repr(plan.strength), bend=BEND[plan.loss])
    elif entrant.solver == "lbfgs":
        body = LBFGS.format(id=entrant.id)
    elif plan.loss == "huber":
        strength = plan.strength if plan.penalty == "l2" else 0.0
        body = REWEIGHTED.format(id=entrant.id, delta=repr(plan.delta), strength=repr(strength))
    elif entrant.solver == "newton" or plan.loss != "squared":
        body = NEWTON.format(id=entrant.id)
    elif plan.penalty == "l2" and plan.strength:
        ridge = RIDGED.format(strength=repr(plan.strength))
        body = f"{SQUARED}\n{ridge}\n{SOLVED.format(id=entrant.id, b='b')}"
    else:
        body = f"{SQUARED}\n{SOLVED.format(id=entrant.id, b='y')}"
    return f"{title}\n{body}"
