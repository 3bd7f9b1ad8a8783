"""A summary as plain text: ASCII but for the names of columns, so that it prints on any terminal."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from torchlinear.inference.likelihood import Likelihood
from torchlinear.inference.numerals import aligned, pad, printable, probability, row, significant, width
from torchlinear.inference.table import Coefficients
from torchlinear.inference.tests import Quality
from torchlinear.labels import Label

if TYPE_CHECKING:
    from torchlinear.inference.summary import Summary

__all__ = ["as_text", "cells", "classes", "facts", "formula", "goodness", "headings", "shared"]

WIDTH = 80
TERMS = 8  # features that the formula line names
CLASSES = 8  # classes that are named


def as_text(summary: Summary) -> str:
    """Write what ``print(summary)`` shows."""
    titles = [
        textwrap.fill(formula(summary, t.target), WIDTH, subsequent_indent="    ") for t in summary.tables
    ]
    blocks = [f"{title}\n\n{_table(summary, j)}" for j, title in enumerate(titles)]
    if len(titles) == 1:  # what was fitted stands above how
        blocks = [titles[0], _facts(summary), _table(summary, 0)]
    else:
        blocks.insert(0, _facts(summary))
    if summary.notes:
        blocks.append("\n".join(textwrap.fill(printable(note), WIDTH) for note in summary.notes))
    return "\n\n".join(blocks)


def facts(summary: Summary) -> list[tuple[str, str]]:
    """List what was fitted and how it ended, as label and text."""
    found = [("rows", "unknown" if summary.rows is None else f"{summary.rows:,}")]
    if summary.weight_type is not None and summary.weight is not None:
        meaning = {
            "precision": "inverse variances up to a factor",
            "frequency": "equal rows that each row stands for",
        }
        kind = summary.weight_type
        found.append(("weights", f"{kind} ({meaning.get(kind, kind)}), sum {summary.weight:,.6g}"))
    found.append(("loss", summary.loss))
    if summary.classes is not None:
        binary = len(summary.tables) == 1 and summary.loss != "softmax"
        success = f"; the coefficients are of {summary.classes[-1]}" if binary else ""
        found.append(("classes", printable(classes(summary.classes) + success)))
    if summary.offset is not None:
        found.append(("offset", printable(summary.offset)))
    found += [("penalty", summary.penalty), ("solver", summary.solver)]
    certainty = "" if math.isnan(summary.certificate) else f" (certificate {summary.certificate:.1e})"
    epochs = f" after {summary.epochs:,} epochs" if summary.epochs > 1 else ""
    found.append(("status", summary.status.replace("_", " ") + epochs + certainty))
    if summary.inference:
        found.append(("std err", f"{summary.cov} ({summary.how})"))
    return found


def classes(labels: Sequence[Label]) -> str:
    """List classes, no more than eight."""
    more = ", ..." * (len(labels) > CLASSES)
    return ", ".join(map(str, labels[:CLASSES])) + more


def formula(summary: Summary, target: str) -> str:
    """``price ~ area + rooms``, shortened beyond eight features; ``0 +`` without intercept."""
    names = [printable(name) for name in summary.features]
    shown = names if len(names) <= TERMS else [*names[: TERMS - 1], "...", names[-1]]
    terms = [*([] if summary.intercept else ["0"]), *shown] or ["1"]
    count = f"   ({len(names):,} features)" if len(names) > TERMS else ""
    return f"{printable(target)} ~ {' + '.join(terms)}{count}"


def headings(summary: Summary, table: Coefficients) -> list[str]:
    """Headings of the coefficient table; only the first where no errors are known."""
    if np.isnan(table.se).all():
        return ["coef"]
    return ["coef", "std err", table.statistic, "p", f"{100 * summary.level:g}% low", "high"]


def cells(table: Coefficients) -> list[list[str]]:
    """Columns of the coefficient table under `headings`, numbers aligned at their points."""
    rows = [row(*values) for values in zip(table.coef, table.se, table.low, table.high, strict=True)]
    coef, se, low, high = (
        (aligned(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    )
    if np.isnan(table.se).all():
        return [coef]
    t = aligned(["" if math.isnan(t) else f"{t:.2f}" if abs(t) < 1e6 else f"{t:.2e}" for t in table.t])
    chance = [probability(value).rjust(5) for value in table.p]
    return [coef, se, t, chance, low, high]


def goodness(quality: Quality | Likelihood, j: int) -> list[list[tuple[str, str]]]:
    """Lines of label and number for target j; numbers that are not known are left out."""
    lines = _deviances(quality, j) if isinstance(quality, Likelihood) else _squares(quality, j)
    written = [[(label, number) for label, number in line if number] for line in lines]
    if sum(len(line) for line in written) <= 3:
        return [[pair for line in written for pair in line]]
    return [line for line in written if line]


def _deviances(q: Likelihood, j: int) -> list[list[tuple[str, str]]]:
    return [
        [
            ("deviance", _joined(_number(q.deviance[j]), f" on {q.residual_df:g} df")),
            ("null deviance", _number(q.null_deviance[j])),
            ("explained", _share(q.explained[j])),
        ],
        [("dispersion", _number(q.dispersion[j])), ("Pearson chi2", _number(q.pearson[j]))],
        [
            ("log-likelihood", _number(q.log_likelihood[j])),
            ("AIC", _number(q.aic[j])),
            ("BIC", _number(q.bic[j])),
        ],
    ]


def _squares(q: Quality, j: int) -> list[list[tuple[str, str]]]:
    return [
        [
            ("R2", _share(q.r2[j])),
            ("adjusted R2", _share(q.adjusted_r2[j])),
            (f"F({q.model_df:g}, {q.residual_df:g})", _joined(_number(q.f[j]), _chance(q.f_p[j]))),
        ],
        [
            ("residual std error", _joined(_number(q.sigma[j]), f" on {q.residual_df:g} df")),
            ("RMSE", _number(q.rmse[j])),
        ],
        [
            ("log-likelihood", _number(q.log_likelihood[j])),
            ("AIC", _number(q.aic[j])),
            ("BIC", _number(q.bic[j])),
        ],
    ]


def _joined(number: str, more: str) -> str:
    return number + more if number else ""


def _chance(p: float) -> str:
    text = probability(p)
    return f", p < {text[1:]}" if text.startswith("<") else f", p = {text}"


def _share(value: float) -> str:
    """R2 to four decimals, to eight where four would say 1."""
    return "" if math.isnan(value) else f"{value:.4f}" if value < 0.99995 else f"{value:.8f}"


def _number(value: float) -> str:
    """Four digits, and one decimal at least of thousands: log-likelihoods are compared by differences."""
    if math.isnan(value):
        return ""
    return f"{value:.1f}" if 1e3 <= abs(value) < 1e8 else significant(value)


def _facts(summary: Summary) -> str:
    lines = [f"{label:<10}{printable(text)}" for label, text in facts(summary)]
    return "\n".join(textwrap.fill(line, WIDTH, subsequent_indent=" " * 10) for line in lines)


def _table(summary: Summary, j: int) -> str:
    """One target: its coefficients, and how well they fit."""
    table = summary.tables[j]
    names = [printable(name) for name in table.names]
    first = max([width(name) for name in names] + [9])
    columns, heads = cells(table), headings(summary, table)
    sizes = [
        max(len(head), *(len(cell) for cell in column)) for head, column in zip(heads, columns, strict=True)
    ]
    rule = "-" * (first + sum(size + 3 for size in sizes))
    head = " " * first + "".join(f"   {text:>{size}}" for text, size in zip(heads, sizes, strict=True))
    lines = [head.rstrip(), rule]
    for i, name in enumerate(names):
        texts = ["dropped"] if table.dropped[i] else [column[i] for column in columns]
        lines.append(_line(pad(name, first), texts, sizes))
    lines.append(rule)
    if summary.quality is not None and not shared(summary, j):
        lines += [
            "   ".join(f"{label} = {number}" for label, number in line)
            for line in goodness(summary.quality, j)
        ]
    return "\n".join(lines)


def shared(summary: Summary, j: int) -> bool:
    """Whether the measures of this table are those of all classes together, which stand under the last."""
    return summary.loss == "softmax" and j < len(summary.tables) - 1


def _line(name: str, texts: Sequence[str], sizes: Sequence[int]) -> str:
    return (name + "".join(f"   {text:>{size}}" for text, size in zip(texts, sizes, strict=False))).rstrip()
