"""The page's files: texts in both languages, modules of one job each, nothing inline, nothing from elsewhere."""

import json
import re
from pathlib import Path

import pytest

import torchlinear.lab

STATIC = Path(torchlinear.lab.__file__).parent / "static"
MODULES = sorted((STATIC / "js").glob("*.js"))
OWN = [
    path
    for path in STATIC.rglob("*")
    if path.suffix in (".js", ".css", ".html", ".json") and "vendor" not in path.parts
]
FIELD = re.compile(r"\{\w+\}")


def _messages(language):
    return json.loads((STATIC / f"messages_{language}.json").read_text("utf-8"))


def test_both_languages_say_the_same_things():
    english, chinese = _messages("en"), _messages("zh")
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert set(FIELD.findall(text)) == set(FIELD.findall(chinese[key])), key
        assert text.strip(), key
        assert chinese[key].strip(), key


def test_every_text_that_is_asked_for_is_there():
    known = _messages("en")
    page = (STATIC / "index.html").read_text("utf-8")
    wanted = set(re.findall(r'data-t(?:-label)?="([\w.]+)"', page))
    for module in MODULES:
        text = module.read_text("utf-8")
        wanted |= set(re.findall(r'\bt\("([\w.]+)"', text)) | set(
            re.findall(r'data-t(?:-label)?": "([\w.]+)"', text)
        )
        wanted |= {f"term.{term}" for term in re.findall(r'term: "([\w.]+)"', text)}
    wanted |= {f"term.{term}" for term in re.findall(r'data-term="([\w.]+)"', page)}
    assert wanted - known.keys() == set()
    assert len(wanted) > 80


def test_lessons_have_the_same_shape_in_both_languages_and_in_the_settings():
    english, chinese = (
        json.loads((STATIC / "lessons" / f"{name}.json").read_text("utf-8")) for name in ("en", "zh")
    )
    steps = [len(lesson["tasks"]) for lesson in english]
    assert len(steps) == 5
    assert [len(lesson["tasks"]) for lesson in chinese] == steps
    settings = (STATIC / "lessons" / "settings.js").read_text("utf-8")
    assert [block.count("{ state:") for block in settings.split("tasks: [")[1:]] == steps


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere(path):
    addresses = re.findall(r"https?://[^\s\"'<>)]+", path.read_text("utf-8"))
    assert [address for address in addresses if not address.startswith("http://www.w3.org/2000/svg")] == []


def test_nothing_is_inline():
    page = (STATIC / "index.html").read_text("utf-8")
    assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?![^>]*src=)", page)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_modules_are_small(module):
    assert len(module.read_text("utf-8").splitlines()) <= 300


def test_the_vendored_chart_has_its_licence_and_version():
    vendor = STATIC / "vendor" / "uplot"
    assert "MIT" in (vendor / "LICENSE").read_text("utf-8")
    version = re.search(r"uPlot ([\d.]+)", (vendor / "README.md").read_text("utf-8"))[1]
    assert f"(v{version})" in (vendor / "uPlot.esm.js").read_text("utf-8")[:2000]
