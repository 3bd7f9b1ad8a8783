"""Fonts for Chinese, Japanese and Korean labels: an installed one is found and used, none is downloaded.

Matplotlib's own font has no such characters and draws boxes. `adapt` looks at the texts of an Axes, and gives
each that needs it an installed family to fall back on, character by character; nothing else changes.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import cast

from matplotlib import font_manager, rcParams
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text

from torchlinear.errors import TorchlinearWarning

__all__ = ["FAMILIES", "adapt", "covering", "missing"]

FAMILIES = (
    """
Noto Sans CJK SC, Noto Sans SC, Source Han Sans SC, Source Han Sans CN, Microsoft YaHei, PingFang SC,
Hiragino Sans GB, Heiti SC, STHeiti, SimHei, WenQuanYi Micro Hei, WenQuanYi Zen Hei,
Noto Sans CJK TC, Noto Sans TC, Microsoft JhengHei, PingFang TC,
Noto Sans CJK JP, Noto Sans JP, Hiragino Sans, Yu Gothic, Meiryo, MS Gothic, IPAexGothic,
Noto Sans CJK KR, Noto Sans KR, Malgun Gothic, Apple SD Gothic Neo, NanumGothic,
Arial Unicode MS, Droid Sans Fallback, Noto Serif CJK SC, Source Han Serif SC, SimSun, Songti SC
""".strip()
    .replace(",\n", ", ")
    .split(", ")
)
GENERIC = ("serif", "sans-serif", "cursive", "fantasy", "monospace")
BOLD = ("demibold", "semibold", "bold", "extra bold", "heavy", "black")
REMEDY = (
    "install one (Debian, Ubuntu: apt install fonts-noto-cjk; Fedora: dnf install "
    "google-noto-sans-cjk-fonts), or name yours in matplotlib.rcParams['font.sans-serif']"
)


def adapt(ax: Axes) -> None:
    """Give every text of `ax` a font that has its characters, or warn once that none is installed."""
    lacking: set[str] = set()
    for text in ax.findobj(Text):
        if not isinstance(text, Text):
            continue
        need = missing(text.get_text(), text.get_fontfamily())
        if not need:
            continue
        family = covering(need)
        if family is None:
            lacking |= need
        else:
            text.set_fontfamily([*text.get_fontfamily(), family])
            if not _has_bold(family):  # matplotlib would log a complaint at every drawing
                text.set_fontweight("normal")
    if lacking:
        _warn("".join(sorted(lacking)[:8]))


def missing(text: str, families: Iterable[str]) -> frozenset[str]:
    """East Asian characters of `text` that none of `families` has."""
    need = {letter for letter in text if ord(letter) >= 0x2E80}
    if not need:
        return frozenset()
    for family in _concrete(families):
        need -= {letter for letter in need if _has(family, letter)}
    return frozenset(need)


def covering(letters: frozenset[str]) -> str | None:
    """First installed family of `FAMILIES` that has all `letters`; None when there is none."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    families = (family for family in FAMILIES if family in installed)
    return next((family for family in families if all(_has(family, letter) for letter in letters)), None)


def _concrete(families: Iterable[str]) -> list[str]:
    """Families with generic names such as ``sans-serif`` replaced by what they stand for."""
    names: list[str] = []
    settings = cast("Mapping[str, list[str]]", rcParams)
    for family in families:
        names += settings[f"font.{family}"] if family in GENERIC else [family]
    return names


def _has(family: str, letter: str) -> bool:
    try:
        path = font_manager.findfont(FontProperties(family=family), fallback_to_default=False)
    except ValueError:  # not installed
        return False
    return font_manager.get_font(path).get_char_index(ord(letter)) != 0


def _has_bold(family: str) -> bool:
    weights = (font.weight for font in font_manager.fontManager.ttflist if font.name == family)
    return any(weight >= 600 if isinstance(weight, int) else weight in BOLD for weight in weights)


_warned = False


def _warn(letters: str) -> None:
    """Warn, once in a process."""
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            f"no installed font known here has the characters {letters}, which are drawn as boxes: {REMEDY}.",
            TorchlinearWarning,
            stacklevel=5,
        )
