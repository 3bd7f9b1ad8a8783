"""East Asian labels: an installed font is found and used, or one warning names the remedy."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.figure import Figure

from torchlinear.errors import TorchlinearWarning
from torchlinear.report import fonts


@pytest.fixture(autouse=True)
def as_if_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No East Asian font is installed, and nobody has been warned."""
    others = [font for font in font_manager.fontManager.ttflist if font.name not in fonts.FAMILIES]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", others)
    monkeypatch.setattr(fonts, "_warned", False)


@pytest.fixture
def installed(tmp_path: Path) -> None:
    """A font called SimHei that has two characters: a box stands for each."""
    letters = {ord(letter): f"u{ord(letter):04x}" for letter in "房价"}
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *letters.values()])
    builder.setupCharacterMap(letters)
    pen = TTGlyphPen(None)
    for step, corner in enumerate(((100, 0), (100, 800), (900, 800), (900, 0))):
        (pen.lineTo if step else pen.moveTo)(corner)
    pen.closePath()
    box = pen.glyph()
    builder.setupGlyf({name: box for name in (".notdef", *letters.values())})
    builder.setupHorizontalMetrics({name: (1000, 100) for name in (".notdef", *letters.values())})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "SimHei", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "font.ttf")
    font_manager.fontManager.addfont(tmp_path / "font.ttf")


def labelled(text: str) -> Figure:
    figure = Figure()
    figure.subplots().set_title(text, fontweight="bold")
    fonts.adapt(figure.axes[0])
    return figure


def test_an_installed_font_is_used(installed: None) -> None:
    figure = labelled("房价 = 3 x")
    title = figure.axes[0].title
    assert title.get_fontfamily()[-1] == "SimHei"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of every character that it cannot draw
        figure.canvas.draw()


def test_latin_labels_are_left_alone(installed: None) -> None:
    title = labelled("price = 3 x ± 2").axes[0].title
    assert title.get_fontfamily() == ["sans-serif"]
    assert title.get_fontweight() == "bold"


def test_a_font_without_the_characters_is_not_used(installed: None) -> None:
    with pytest.warns(TorchlinearWarning, match="积"):
        title = labelled("面积").axes[0].title
    assert title.get_fontfamily() == ["sans-serif"]


def test_a_font_of_the_user_is_respected(installed: None) -> None:
    figure = Figure()
    figure.subplots().set_title("房价", fontfamily=["SimHei"])
    fonts.adapt(figure.axes[0])
    assert figure.axes[0].title.get_fontfamily() == ["SimHei"]


def test_one_warning_names_the_remedy() -> None:
    with pytest.warns(TorchlinearWarning, match=r"价房.*apt install fonts-noto-cjk"):
        labelled("房价")
    labelled("面积")  # a second warning would be an error here


def test_every_label_of_a_picture_is_looked_at(installed: None) -> None:
    from dataclasses import replace

    import torchlinear as tl
    from torchlinear.report.plots import plot

    x = np.arange(5.0)[:, None]
    solution = replace(tl.fit(x, x[:, 0] ** 2).solution, names=("房",), targets=("价",))
    ax = plot(solution, x, x[:, 0] ** 2, ax=Figure().subplots())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax.figure.canvas.draw()
