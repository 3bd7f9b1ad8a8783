"""The numbers of README.md and README.zh-CN.md, from the newest results in benchmarks/results.

In both files a number stands between ``<!-- key -->`` and ``<!-- / -->``. Keys are ``speed``, ``machine``,
``losses`` and ``digits`` for tables and lists; ``WORK.ours``, ``WORK.theirs`` and ``WORK.ratio`` for one work
of `WORKS`; and ``SET.SIDE`` for the digits of the worst coefficient. ``counts``, in docs/en/models.md and
docs/zh/models.md, is the table of scikit-learn's tests, from tests/foreign/counts.toml.

    python benchmarks/table.py            prints what belongs between the marks
    python benchmarks/table.py --write    writes it into all four files
"""

from __future__ import annotations

import argparse
import csv
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
MARK = re.compile(r"(<!-- ([^/\n]+?) -->)(.*?)(<!-- / -->)", re.DOTALL)

Language = Literal["en", "zh"]
READMES: dict[Language, Path] = {"en": ROOT / "README.md", "zh": ROOT / "README.zh-CN.md"}
MODELS: dict[Language, Path] = {
    "en": ROOT / "docs" / "en" / "models.md",
    "zh": ROOT / "docs" / "zh" / "models.md",
}
COUNTS = ROOT / "tests" / "foreign" / "counts.toml"


@dataclass(frozen=True)
class Work:
    """One row of the table of speed.

    Attributes
    ----------
    file, title : str
        Where its results are, and the work as the benchmark calls it.
    names : dict
        The work as each README calls it.
    rival : bool
        Whether the other side does the same work, so that being slower is a loss.
    """

    file: str
    title: str
    names: Mapping[Language, str]
    rival: bool = True


WORKS = {
    "tutorial": Work(
        "tutorial_epochs",
        "tutorial, 30,000 epochs",
        {"en": "the first program: 30,000 epochs on 50 rows", "zh": "第一个程序：50 行数据，30,000 轮"},
    ),
    "log": Work(
        "tutorial_epochs",
        "tutorial, 30,000 epochs, log_every=20 to a file",
        {"en": "the same with 1,500 lines of log", "zh": "同上，并打印 1,500 行日志"},
    ),
    "adam": Work(
        "adam_epochs",
        "Adam, full batch, 1,000 epochs of 1,000,000 x 20",
        {
            "en": "Adam on all rows, 1,000 epochs, 1,000,000 × 20",
            "zh": "全批量 Adam，1,000 轮，1,000,000 × 20",
        },
    ),
    "batches": Work(
        "adam_epochs",
        "Adam, batches of 32, one epoch of 1,000,000 x 20",
        {
            "en": "Adam in batches of 32, one epoch, 1,000,000 × 20",
            "zh": "小批量（32）Adam，一轮，1,000,000 × 20",
        },
    ),
    "sgd": Work(
        "sgd_epoch",
        "SGD, one row a step, one epoch of 1,000,000 x 20",
        {
            "en": "SGD, one row a step, one epoch, 1,000,000 × 20",
            "zh": "每步一行的 SGD，一轮，1,000,000 × 20",
        },
    ),
    "exact": Work(
        "exact_in_memory",
        "exact fit, 1,000,000 x 20",
        {"en": "exact fit in memory, 1,000,000 × 20", "zh": "内存中的精确拟合，1,000,000 × 20"},
    ),
    "wide": Work(
        "exact_in_memory",
        "exact fit, 200,000 x 100",
        {"en": "exact fit in memory, 200,000 × 100", "zh": "内存中的精确拟合，200,000 × 100"},
    ),
    "logistic": Work(
        "glm_binomial",
        "logistic regression, 1,000,000 x 50",
        {
            "en": "logistic regression, 1,000,000 × 50",
            "zh": "逻辑回归，1,000,000 × 50",
        },
    ),
    "poisson": Work(
        "glm_poisson",
        "Poisson regression, 1,000,000 x 50",
        {
            "en": "Poisson regression, 1,000,000 × 50",
            "zh": "泊松回归，1,000,000 × 50",
        },
    ),
    "softmax": Work(
        "softmax_probe",
        "softmax, 20,000 x 256, 20 classes",
        {
            "en": "softmax on embeddings, 20,000 × 256, 20 classes",
            "zh": "嵌入上的 softmax 回归，20,000 × 256，20 类",
        },
    ),
    "sweep": Work(
        "softmax_probe",
        "sweep of 20 penalties of that softmax",
        {
            "en": "the same with 20 penalties",
            "zh": "同上，20 种惩罚强度",
        },
    ),
    "lasso": Work(
        "lasso_path",
        "lasso path, 1,000,000 x 100, 100 penalties",
        {
            "en": "lasso path, 100 penalties, 1,000,000 × 100",
            "zh": "lasso 路径，100 种强度，1,000,000 × 100",
        },
    ),
    "lasso_wide": Work(
        "lasso_path",
        "lasso path, 500 x 20,000, 100 penalties",
        {
            "en": "lasso path, 100 penalties, 500 × 20,000",
            "zh": "lasso 路径，100 种强度，500 × 20,000",
        },
    ),
    "elastic_net_cv": Work(
        "elastic_net_cv",
        "5-fold elastic-net cross-validation, 1,000,000 x 100, 100 penalties",
        {
            "en": "elastic net, 5-fold cross-validation, 1,000,000 × 100",
            "zh": "弹性网五折交叉验证，1,000,000 × 100",
        },
    ),
    "median": Work(
        "quantile",
        "quantile 0.5, 100,000 x 20",
        {
            "en": "median regression, 100,000 × 20",
            "zh": "中位数回归，100,000 × 20",
        },
    ),
    "quantile": Work(
        "quantile",
        "quantile 0.9, 100,000 x 20",
        {
            "en": "regression of the 0.9 quantile, 100,000 × 20",
            "zh": "0.9 分位数回归，100,000 × 20",
        },
    ),
    "logistic_all": Work(
        "criteria_epochs",
        "logistic, full batch, 100 epochs of 100,000 x 20",
        {
            "en": "SGD on all rows, BCEWithLogitsLoss, 100 epochs, 100,000 × 20",
            "zh": "全批量 SGD，BCEWithLogitsLoss，100 轮，100,000 × 20",
        },
    ),
    "logistic_batches": Work(
        "criteria_epochs",
        "logistic, batches of 32, 1 epochs of 100,000 x 20",
        {
            "en": "SGD in batches of 32, BCEWithLogitsLoss, one epoch, 100,000 × 20",
            "zh": "小批量（32）SGD，BCEWithLogitsLoss，一轮，100,000 × 20",
        },
    ),
    "softmax_all": Work(
        "criteria_epochs",
        "softmax of 10 classes, full batch, 100 epochs of 100,000 x 20",
        {
            "en": "SGD on all rows, CrossEntropyLoss, 10 classes, 100 epochs, 100,000 × 20",
            "zh": "全批量 SGD，CrossEntropyLoss（10 类），100 轮，100,000 × 20",
        },
    ),
    "softmax_batches": Work(
        "criteria_epochs",
        "softmax of 10 classes, batches of 32, 1 epochs of 100,000 x 20",
        {
            "en": "SGD in batches of 32, CrossEntropyLoss, 10 classes, one epoch, 100,000 × 20",
            "zh": "小批量（32）SGD，CrossEntropyLoss（10 类），一轮，100,000 × 20",
        },
    ),
    "sgd_classifier_one": Work(
        "sgd_estimators",
        "SGDClassifier(loss='log_loss'), 200,000 x 50, epochs: 1",
        {
            "en": "SGDClassifier, scikit-learn's very steps, one epoch, 200,000 × 50",
            "zh": "SGDClassifier，与 scikit-learn 逐步相同，一轮，200,000 × 50",
        },
    ),
    "sgd_classifier_ten": Work(
        "sgd_estimators",
        "SGDClassifier(loss='log_loss'), 200,000 x 50, epochs: 10",
        {
            "en": "SGDClassifier, 10 epochs, 200,000 × 50",
            "zh": "SGDClassifier，10 轮，200,000 × 50",
        },
    ),
    "sgd_classifier": Work(
        "sgd_estimators",
        "SGDClassifier(loss='log_loss'), 200,000 x 50, epochs: 10, objective watched",
        {
            "en": "SGDClassifier with a tolerance, 10 epochs, 200,000 × 50",
            "zh": "SGDClassifier，带容差，10 轮，200,000 × 50",
        },
    ),
    "parquet": Work(
        "exact_parquet",
        "exact fit from Parquet, 10,000,000 x 20",
        {"en": "exact fit from Parquet, 10,000,000 × 20", "zh": "直接从 Parquet 精确拟合，10,000,000 × 20"},
        rival=False,
    ),
    "warm": Work(
        "small_fit",
        "warm LinearRegression().fit, 10,000 x 10",
        {"en": "small fit, warm, 10,000 × 10", "zh": "预热后的小规模拟合，10,000 × 10"},
    ),
    "tiny": Work(
        "small_fit",
        "warm LinearRegression().fit, 100 x 3",
        {"en": "tiny fit, warm, 100 × 3", "zh": "预热后的极小规模拟合，100 × 3"},
    ),
    "cold": Work(
        "cold_start",
        "cold LinearRegression().fit, 10,000 x 10",
        {
            "en": "fresh process: import and fit, 10,000 × 10",
            "zh": "全新进程：从导入到拟合，10,000 × 10",
        },
    ),
}

OTHERS = {  # as the benchmarks call them, as Chinese readers do
    "DuckDB reads, does nothing": "DuckDB，只读不算",
    "eager PyTorch": "PyTorch 自己的循环",
}
SCRIPTS = {"small_fit": "exact_in_memory", "glm_binomial": "glm", "glm_poisson": "glm"}  # whose name differs
WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "speed": "| work | torchlinear | fastest other | times as fast | measured by |",
        "machine": "Medians of both sides taking turns in one run, {date}, on {machine}.",
        "loss": "- {work}: {ours}; {peer} {theirs}.",
        "missing": "not measured yet",
        "digits": "| set | {sides} |",
        "counts": "| scikit-learn {version} | passed | left out | of others | skipped | xfail |",
    },
    "zh": {
        "speed": "| 任务 | torchlinear | 最快的对手 | 速度比 | 测量脚本 |",
        "machine": "{date} 测于 {machine}；双方在同一次运行中轮流执行，取中位数。",
        "loss": "- {work}：{ours}；{peer} {theirs}。",
        "missing": "尚未测量",
        "digits": "| 数据集 | {sides} |",
        "counts": "| scikit-learn {version} | 通过 | 没跑 | 别的类 | 跳过 | 预期失败 |",
    },
}
DIGITS = {  # sides of results/digits.csv: heading, and whether it gives standard errors
    "torchlinear": ("torchlinear", True),
    "numpy.linalg.lstsq": ("NumPy lstsq", False),
    "statsmodels OLS": ("statsmodels OLS", True),
    "scikit-learn LinearRegression": ("scikit-learn", False),
    "scikit-learn LinearRegression(tol=0)": ("scikit-learn `tol=0`", False),
}


@dataclass(frozen=True)
class Result:
    """The newest run of one work: seconds of ours and of the fastest other side."""

    ours: float
    peer: str
    theirs: float
    date: str
    machine: str

    @property
    def ratio(self) -> float:
        """How many times as fast ours is."""
        return self.theirs / self.ours


def newest(work: Work, results: Path = RESULTS) -> Result | None:
    """The last run of a work in its file, or None; a run's rows follow each other, ours first."""
    rows = [row for row in _rows(results / f"{work.file}.csv") if row["work"] == work.title]
    starts = [i for i, row in enumerate(rows) if row["side"].startswith("torchlinear")]
    if not starts:
        return None
    ours, *others = rows[starts[-1] :]
    fastest = min(others, key=lambda row: float(row["median_seconds"]))
    seconds = (float(ours["median_seconds"]), float(fastest["median_seconds"]))
    return Result(seconds[0], fastest["side"], seconds[1], ours["date"], ours["machine"])


def filled(text: str, language: Language, results: Path = RESULTS) -> str:
    """A README with the numbers of `results` between its marks; KeyError for a key that is not known."""

    def number(match: re.Match[str]) -> str:
        return match[1] + value(match[2], language, results) + match[4]

    return MARK.sub(number, text)


def value(key: str, language: Language, results: Path = RESULTS) -> str:
    """What stands between the marks of a key."""
    if key in BLOCKS:
        return "\n" + "".join(f"{line}\n" for line in BLOCKS[key](language, results))
    name, _, what = key.partition(".")
    if name not in WORKS:
        return _digits(results)[name, what]["coef"]
    show = NUMBERS[what]
    found = newest(WORKS[name], results)
    return WORDS[language]["missing"] if found is None else show(found)


def speed(language: Language, results: Path) -> list[str]:
    """The table of speed."""
    lines = [WORDS[language]["speed"], "|---|--:|--:|--:|---|"]
    for work in WORKS.values():
        found = newest(work, results)
        if found is not None:
            other = f"{duration(found.theirs)}, {_called(found.peer, language)}"
            script = _script(work)
            cells = [work.names[language], duration(found.ours), other, f"{times(found.ratio)}×", script]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def machine(language: Language, results: Path) -> list[str]:
    """Where and when the results were measured."""
    found = [result for work in WORKS.values() if (result := newest(work, results))]
    if not found:
        return [WORDS[language]["missing"]]
    dates = sorted({result.date for result in found})
    machines = "; ".join(dict.fromkeys(result.machine for result in found))
    return [WORDS[language]["machine"].format(date=" – ".join({dates[0]: 0, dates[-1]: 0}), machine=machines)]


def losses(language: Language, results: Path) -> list[str]:
    """A line for each work that somebody else does faster."""
    return [
        WORDS[language]["loss"].format(
            work=work.names[language],
            ours=duration(found.ours),
            peer=_called(found.peer, language),
            theirs=duration(found.theirs),
        )
        for work in WORKS.values()
        if work.rival and (found := newest(work, results)) and found.ratio < 1
    ]


def digits(language: Language, results: Path) -> list[str]:
    """The table of correct digits: worst coefficient, and worst standard error where there is one."""
    table = _digits(results)
    heads = " | ".join(head for head, _ in DIGITS.values())
    lines = [WORDS[language]["digits"].format(sides=heads), "|---|" + "--:|" * len(DIGITS)]
    for name in dict.fromkeys(name for name, _ in table):
        cells = []
        for side, (_, errors) in DIGITS.items():
            row = table[name, side]
            cells.append(f"{row['coef']} / {row['se']}" if errors else row["coef"])
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def counts(language: Language, results: Path) -> list[str]:  # noqa: ARG001  (the signature of BLOCKS)
    """The table of scikit-learn's own tests on torchlinear's classes."""
    table = tomllib.loads(COUNTS.read_text(encoding="utf-8"))
    head = WORDS[language]["counts"].format(version=table.pop("scikit-learn"))
    return [head, "|---|--:|--:|--:|--:|--:|"] + [
        f"| `{file}` | {' | '.join(map(str, row.values()))} |" for file, row in table.items()
    ]


def duration(seconds: float) -> str:
    """Seconds with three digits, in the unit that suits: 2.35 ms."""
    if seconds >= 1:
        return f"{_three(seconds)} s"
    return f"{_three(1e3 * seconds)} ms" if seconds >= 1e-3 else f"{_three(1e6 * seconds)} µs"


def times(ratio: float) -> str:
    """A ratio with two digits: 4.3, 430, 3,900."""
    size = 10 ** max(0, len(str(int(ratio))) - 2)
    return f"{ratio:.1f}" if ratio < 10 else f"{round(ratio / size) * size:,}"


def _three(number: float) -> str:
    return f"{number:.2f}" if number < 10 else f"{number:.1f}" if number < 100 else f"{number:,.0f}"


def _called(side: str, language: Language) -> str:
    return OTHERS.get(side, side) if language == "zh" else side


def _script(work: Work) -> str:
    """A link to the benchmark, which may write more than one file."""
    name = SCRIPTS.get(work.file, work.file)
    return f"[{name}.py](benchmarks/{name}.py)"


def _digits(results: Path) -> dict[tuple[str, str], dict[str, str]]:
    return {(row["set"], row["side"]): row for row in _rows(results / "digits.csv")}


def _rows(path: Path) -> Sequence[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


BLOCKS = {"speed": speed, "machine": machine, "losses": losses, "digits": digits, "counts": counts}
NUMBERS: dict[str, Callable[[Result], str]] = {
    "ours": lambda result: duration(result.ours),
    "theirs": lambda result: duration(result.theirs),
    "ratio": lambda result: times(result.ratio),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="The numbers of the documents, from their results.")
    parser.add_argument("--write", action="store_true", help="write them into the files")
    write = parser.parse_args().write
    for language, path in (*READMES.items(), *MODELS.items()):
        text = path.read_text(encoding="utf-8")
        if write:
            path.write_text(filled(text, language), encoding="utf-8")
        else:
            for _, key, _, _ in MARK.findall(text):
                print(f"{key}: {value(key, language)}")


if __name__ == "__main__":
    main()
