"""A summary as HTML for notebooks: no script, no style sheet and no colours of its own."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from torchlinear.inference.numerals import printable
from torchlinear.inference.text import cells, facts, formula, goodness, headings, shared

if TYPE_CHECKING:
    from torchlinear.inference.summary import Summary

__all__ = ["as_html"]

TABLE = "border-collapse:collapse;font-variant-numeric:tabular-nums"
NAME = "text-align:left;padding:2px 16px 2px 0;font-weight:normal"
NUMBER = "text-align:right;padding:2px 8px;white-space:pre;font-family:ui-monospace,monospace"
HEAD = "text-align:right;padding:2px 8px;border-bottom:1px solid;font-weight:600"
FAINT = "opacity:.55"  # rows whose interval holds zero


def as_html(summary: Summary) -> str:
    """Write a summary as notebooks show it."""
    body = "".join(_target(summary, j) for j in range(len(summary.tables)))
    notes = "".join(f'<p style="max-width:46em">{_text(note)}</p>' for note in summary.notes)
    rows = "".join(
        f'<tr><th scope="row" style="{NAME};{FAINT}">{_text(label)}</th>'
        f'<td style="text-align:left">{_text(text)}</td></tr>'
        for label, text in facts(summary)
    )
    return f'<div>{body}<table style="{TABLE}">{rows}</table>{notes}</div>'


def _target(summary: Summary, j: int) -> str:
    table, columns = summary.tables[j], cells(summary.tables[j])
    heads = "".join(f'<th scope="col" style="{HEAD}">{_text(text)}</th>' for text in headings(summary, table))
    rows = []
    for i, name in enumerate(table.names):
        faint = table.dropped[i] or table.low[i] <= 0.0 <= table.high[i]
        numbers = ["dropped"] if table.dropped[i] else [column[i] for column in columns]
        rows.append(_row(name, numbers, f' style="{FAINT}"' if faint else ""))
    fit = (
        "<br>".join(_equalities(line) for line in goodness(summary.quality, j))
        if summary.quality and not shared(summary, j)
        else ""
    )
    return (
        f'<p><b>{_text(formula(summary, table.target))}</b></p><table style="{TABLE}">'
        f'<thead><tr><th style="{HEAD}"></th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table><p>{fit}</p>"
    )


def _row(name: str, numbers: Iterable[str], attributes: str) -> str:
    written = "".join(f'<td style="{NUMBER}">{_text(number)}</td>' for number in numbers)
    return f'<tr{attributes}><th scope="row" style="{NAME}">{_text(name)}</th>{written}</tr>'


def _equalities(line: Iterable[tuple[str, str]]) -> str:
    return " &ensp; ".join(f"{_text(label).replace('R2', 'R²')} = {_text(number)}" for label, number in line)


def _text(value: str) -> str:
    return escape(printable(value))
