"""Formulas: from text to terms, and what each term asks of the columns.

formulaic parses the text (``a + b:c + a*b - 1 + C(city) + poly(x, 2)``). It would evaluate any Python inside;
here a factor may only use the functions and operators listed below, so that a formula from a model file or a
web page is data, not code.

``x**2`` means the square of x. (To R and formulaic it is x crossed with itself, which is x again.)
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from formulaic import Formula as Parsed
from formulaic import SimpleFormula
from formulaic.errors import FormulaicError
from formulaic.parser.algos.tokenize import tokenize
from formulaic.parser.types import Factor, Term, Token
from formulaic.utils.code import sanitize_variable_names

from torchlinear.errors import InvalidInput
from torchlinear.registry import suggestion

__all__ = ["ELEMENTWISE", "INTERCEPT", "Power", "Sides", "Use", "parse", "power_of", "use_of"]

ELEMENTWISE = {
    name: getattr(np, name)
    for name in (
        "abs", "arccos", "arcsin", "arcsinh", "arctan", "cbrt", "ceil", "cos", "cosh", "exp", "exp2", "expm1",
        "floor", "log", "log10", "log1p", "log2", "maximum", "minimum", "sign", "sin", "sinh", "sqrt",
        "square", "tan", "tanh",
    )
}  # fmt: skip
INTERCEPT = Term([Factor("1", eval_method="literal")])
_STATEFUL = {"bs", "cc", "center", "cr", "cs", "poly", "scale", "standardize"}
_CODINGS = {"Treatment", "Sum", "Helmert", "Diff", "Poly"} | {
    f"contr.{name}" for name in ("treatment", "SAS", "sum", "helmert", "diff", "poly")
}
_OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.BitAnd, ast.BitOr, ast.UAdd,
    ast.USub, ast.Invert, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sides:
    """A parsed formula: terms of both sides, without the intercept, whether there is one, and the terms in offset()."""

    left: SimpleFormula | None
    right: SimpleFormula
    intercept: bool
    offset: SimpleFormula


@dataclass(slots=True)
class Use:
    """What factors ask of the columns.

    Attributes
    ----------
    columns : dict of str to bool
        Columns in order of appearance; True where C() makes a category of them.
    plain : set of str
        Columns that stand alone as a factor, number or category as they are.
    computed : set of str
        Columns that enter arithmetic or a function, so must be numbers.
    stateful : bool
        Whether a transform learns from the values.
    functions : set of str
        Functions that are called.
    references : list of (str, object)
        Columns and the level that their others are compared with, where one is chosen.
    """

    columns: dict[str, bool] = field(default_factory=dict)
    plain: set[str] = field(default_factory=set)
    computed: set[str] = field(default_factory=set)
    stateful: bool = False
    functions: set[str] = field(default_factory=set)
    references: list[tuple[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Power:
    """Powers of one column that a factor asks for: ``poly(x, 3, raw=True)``, ``I(x**2)``."""

    column: str
    exponents: tuple[int, ...]


def parse(text: str, columns: Sequence[str]) -> Sides:
    """The terms of a formula over a table with these columns (which ``.`` stands for).

    Raises
    ------
    InvalidInput
        The text is no formula, or has more than two sides or parts.
    """
    try:
        root: Any = Parsed(_with_powers(text), _context={"__formulaic_variables_available__": list(columns)})
    except (FormulaicError, SyntaxError, ValueError) as error:
        raise InvalidInput(f"formula={text!r} cannot be read: {str(error).strip().splitlines()[0]}") from None
    left, right = (None, root) if isinstance(root, SimpleFormula) else _two_sides(root, text)
    terms = [term for term in right if str(term) != "1"]
    offsets = {term: inner for term in terms if (inner := _in_offset(term)) is not None}
    features = SimpleFormula([term for term in terms if term not in offsets])
    return Sides(left, features, len(terms) < len(list(right)), SimpleFormula(list(offsets.values())))


def _in_offset(term: Term) -> Term | None:
    """The term inside of ``offset(...)``; None for any other term."""
    text = term.factors[0].expr
    if len(term.factors) > 1 or not (text.startswith("offset(") and text.endswith(")")):
        return None
    inner = text.removeprefix("offset(").removesuffix(")").strip()
    name = inner.strip("`")
    plain = name.isidentifier() or inner == f"`{name}`"
    return Term([Factor(name, eval_method="lookup") if plain else Factor(inner, eval_method="python")])


def _two_sides(root: Any, text: str) -> tuple[SimpleFormula, SimpleFormula]:
    left, right = getattr(root, "lhs", None), getattr(root, "rhs", None)
    if not isinstance(left, SimpleFormula) or not isinstance(right, SimpleFormula):
        raise InvalidInput(
            f"formula={text!r} has several parts; expected one target side and one feature side."
        )
    return left, right


def _with_powers(text: str) -> str:
    """``x**2`` and ``x^2`` as ``I(x**2)``."""
    tokens = list(tokenize(text))
    for base, operator, exponent in reversed(list(zip(tokens, tokens[1:], tokens[2:]))):
        if _kinds(base, operator, exponent) == ("name", "operator", "value") and operator.token in (
            "**",
            "^",
        ):
            start, end = base.source_start or 0, (exponent.source_end or 0) + 1
            name = text[start : operator.source_start].strip()  # with its backticks
            text = f"{text[:start]}I({name}**{exponent.token}){text[end:]}"
    return text


def _kinds(*tokens: Token) -> tuple[str, ...]:
    return tuple(token.kind.value if token.kind else "" for token in tokens)


def use_of(formula: SimpleFormula, text: str) -> Use:
    """What the factors of all terms ask of the columns.

    Raises
    ------
    InvalidInput
        A factor uses anything but columns, numbers, the listed functions and operators.
    """
    use = Use()
    for term in formula:
        for factor in term.factors:
            if factor.eval_method is Factor.EvalMethod.LOOKUP:
                use.columns.setdefault(factor.expr, False)
                use.plain.add(factor.expr)
            elif factor.eval_method is Factor.EvalMethod.PYTHON:
                tree, aliases = _tree(factor.expr, text)
                _Reader(use, aliases, text).visit(tree)
    clash = use.functions & set(use.columns)
    if clash:
        name = clash.pop()
        raise InvalidInput(
            f"formula={text!r}: {name!r} is a column here, so the function {name}() is hidden."
        )
    return use


def _tree(expression: str, text: str) -> tuple[ast.expr, dict[str, str]]:
    aliases: dict[str, str] = {}
    try:
        return ast.parse(sanitize_variable_names(expression, {}, aliases), mode="eval").body, aliases
    except SyntaxError:
        raise InvalidInput(f"formula={text!r}: {expression!r} cannot be read.") from None


class _Reader(ast.NodeVisitor):
    """Walks a factor, notes the columns, and refuses everything that is not listed."""

    def __init__(self, use: Use, aliases: dict[str, str], text: str) -> None:
        self.use, self.aliases, self.text = use, aliases, text

    def visit_Name(self, node: ast.Name) -> None:
        name = self.aliases.get(node.id, node.id)
        self.use.columns.setdefault(name, False)
        self.use.computed.add(name)

    def visit_Constant(self, node: ast.Constant) -> None:
        if not isinstance(node.value, int | float):
            self._refuse(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        self._operator(node.op, node)
        self.visit(node.operand)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self._operator(node.op, node)
        if isinstance(node.op, ast.Pow) and not any(isinstance(n, ast.Name) for n in ast.walk(node)):
            self._refuse(node)  # 9**9**9 would never end
        self.visit(node.left)
        self.visit(node.right)

    def visit_Compare(self, node: ast.Compare) -> None:
        for operator in node.ops:
            self._operator(operator, node)
        for operand in (node.left, *node.comparators):
            self.visit(operand)

    def visit_Call(self, node: ast.Call) -> None:
        function = ast.unparse(node.func)
        self.use.functions.add(function.split(".")[0])
        if function == "C":
            self._category(node)
        elif function == "I" or function.removeprefix("np.") in ELEMENTWISE:
            if node.keywords:
                self._refuse(node)
            for argument in node.args:
                self.visit(argument)
        elif function in _STATEFUL and node.args:
            self.use.stateful = True
            self.visit(node.args[0])
            for option in (*node.args[1:], *(keyword.value for keyword in node.keywords)):
                self._constant(option)
        elif function == "offset":
            raise InvalidInput(
                f"formula={self.text!r}: offset() stands alone, as in 'y ~ x + offset(log(hours))'; it is no part "
                "of another term."
            )
        else:
            known = sorted({"C", "I", *ELEMENTWISE, *_STATEFUL})
            raise InvalidInput(
                f"formula={self.text!r}: {function}() is not a function of formulas"
                f"{suggestion(function, known)}. Known: {', '.join(known)}."
            )

    def _category(self, node: ast.Call) -> None:
        column, *codings = node.args
        codings += [keyword.value for keyword in node.keywords if keyword.arg == "contrasts"]
        if not isinstance(column, ast.Name) or len(codings) + 1 < len(node.args) + len(node.keywords):
            raise InvalidInput(
                f"formula={self.text!r}: write C(column), or C(column, Treatment('level')) to choose the "
                f"level that the others are compared with; got {ast.unparse(node)}."
            )
        variable = self.aliases.get(column.id, column.id)
        self.use.columns[variable] = True
        for coding in codings:
            name = ast.unparse(coding.func if isinstance(coding, ast.Call) else coding)
            if name not in _CODINGS:
                self._refuse(coding)
            if isinstance(coding, ast.Call):
                for option in (*coding.args, *(keyword.value for keyword in coding.keywords)):
                    value = self._constant(option)
                    if name in ("Treatment", "contr.treatment"):
                        self.use.references.append((variable, value))

    def _constant(self, node: ast.expr) -> Any:
        try:
            return ast.literal_eval(node)
        except ValueError:
            self._refuse(node)

    def _operator(self, operator: ast.AST, node: ast.AST) -> None:
        if not isinstance(operator, _OPERATORS):
            self._refuse(node)

    def generic_visit(self, node: ast.AST) -> None:
        self._refuse(node)

    def _refuse(self, node: ast.AST) -> None:
        raise InvalidInput(
            f"formula={self.text!r}: {ast.unparse(node)} is not allowed here; a term may use columns, "
            "numbers, + - * / ** and comparisons inside I(), and the functions of formulas."
        )


def power_of(factor: Factor) -> Power | None:
    """The powers that a factor is, if it is ``x**k``, ``I(x**k)`` or ``poly(x, k, raw=True)``."""
    if factor.eval_method is not Factor.EvalMethod.PYTHON:
        return None
    node, aliases = _tree(factor.expr, factor.expr)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "I" and len(node.args) == 1:
        node = node.args[0]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        base, exponent = node.left, _whole(node.right)
        exponents: tuple[int, ...] | None = None if exponent is None else (exponent,)
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "poly" and node.args:
        base, exponents = node.args[0], _raw_degree(node)
    else:
        return None
    if not isinstance(base, ast.Name) or exponents is None:
        return None
    return Power(aliases.get(base.id, base.id), exponents)


def _whole(node: ast.expr) -> int | None:
    return (
        node.value if isinstance(node, ast.Constant) and type(node.value) is int and node.value >= 1 else None
    )


def _raw_degree(node: ast.Call) -> tuple[int, ...] | None:
    given = dict(zip(("x", "degree", "raw"), node.args)) | {k.arg: k.value for k in node.keywords if k.arg}
    raw = given.get("raw")
    degree = _whole(given["degree"]) if "degree" in given else 1
    if degree is None or not (isinstance(raw, ast.Constant) and raw.value is True):
        return None
    return tuple(range(1, degree + 1))
