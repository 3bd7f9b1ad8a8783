"""What every benchmark shares: sides that take turns in one run, medians, results with the machine's name."""

from __future__ import annotations

import csv
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a name, the work, how often it is timed, and how many calls in a row are one timing."""

    name: str
    work: Callable[[], object]
    repeats: int = 5
    calls: int = 1


def race(title: str, ours: Side, *peers: Side, goal: str, file: str) -> float:
    """Time all sides in turn; print medians and, last, the ratio to the fastest peer."""
    print(f"{title}\n{machine()}")
    times: dict[str, list[float]] = {side.name: [] for side in (ours, *peers)}
    for turn in range(max(side.repeats for side in (ours, *peers))):
        for side in (ours, *peers):
            if turn < side.repeats:
                times[side.name].append(seconds(side.work, side.calls))
    return report(title, {name: median(values) for name, values in times.items()}, goal=goal, file=file)


def report(title: str, medians: dict[str, float], *, goal: str, file: str) -> float:
    """Print medians (ours first) and the ratio, and append them to results/`file`.csv."""
    for name, value in medians.items():
        print(f"  {name:<44s} {1e3 * value:12.3f} ms")
    ours, *others = medians.values()
    ratio = min(others) / ours
    _append(file, title, medians, ratio, goal)
    print(f"ratio {ratio:.2f} (goal: {goal})\n")
    return ratio


def seconds(work: Callable[[], object], calls: int = 1) -> float:
    """Wall-clock seconds of a call, after a pause in which the BLAS threads of the side before stop spinning."""
    time.sleep(0.2)
    began = time.perf_counter()
    for _ in range(calls):
        work()
    return (time.perf_counter() - began) / calls


def machine() -> str:
    """Processor, cores and memory of this machine."""
    name = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = [line for line in information.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].split(":")[1].strip() if lines else name
    memory = ""
    if hasattr(os, "sysconf"):
        memory = f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    return f"{name}, {os.cpu_count()} cores{memory}, {platform.system()}, Python {platform.python_version()}"


def _append(file: str, title: str, medians: dict[str, float], ratio: float, goal: str) -> None:
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{file}.csv"
    new = not path.exists()
    with path.open("a", newline="") as stream:
        writer = csv.writer(stream)
        if new:
            writer.writerow(
                ["date", "machine", "work", "side", "median_seconds", "ratio_to_fastest_peer", "goal"]
            )
        for name, value in medians.items():
            date = datetime.now(UTC).date().isoformat()
            writer.writerow([date, machine(), title, name, f"{value:.6g}", f"{ratio:.3g}", goal])
