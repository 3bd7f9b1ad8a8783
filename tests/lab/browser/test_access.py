"""The page with a keyboard and a screen reader: axe-core finds nothing serious in any view."""

import pytest

pytest.importorskip("pytest_playwright", reason="BROWSER TESTS DO NOT RUN: pip install pytest-playwright")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python")

AROUND = """() => {
  const ids = [];
  for (let element = document.activeElement; element; element = element.parentElement) ids.push(element.id);
  return ids;
}"""


def _serious(page) -> list[str]:
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize(
    "fragment",
    [
        "",
        "theme=dark",
        "lang=zh&lesson=3",
        "theme=dark&lesson=1",
        "data=maker:features=3&penalty=l1:0.1&runners=bgd;mbgd:lr=0.05;newton",
    ],
)
def test_axe(lab, fragment):
    assert _serious(lab(fragment)) == []


@pytest.mark.browser_context_args(viewport={"width": 390, "height": 844})
def test_axe_on_a_phone_with_all_panels_open(lab):
    page = lab("data=builtin:name=diabetes&standardize=true&runners=bgd;adam&epochs=100")
    for panel in page.locator(".panel > summary").all():
        panel.click()
    page.locator(".runner .more").first.click()
    assert _serious(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_in_the_code_window(lab, theme):
    page = lab(f"theme={theme}&runners=bgd&epochs=50")
    page.click("#show-code")
    page.wait_for_selector("#code[open]")
    assert _serious(page) == []


def test_everything_can_be_reached_by_tab(lab):
    page = lab("runners=bgd&epochs=50")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached |= set(page.evaluate(AROUND))
    bar = {"play", "step", "rewind", "scrub", "speed", "by", "language", "theme", "lesson-nav"}
    panels = {"data-panel", "runners-panel", "model-panel"}
    assert bar | panels | {"fit", "map", "show-code", "report", "copy-link"} <= reached


def test_the_result_is_announced(lab):
    page = lab("runners=bgd;newton&epochs=50")
    assert page.inner_text("#status").startswith("Run finished. Best: Newton")


def test_sliders_speak_in_words(lab):
    page = lab("data=maker&runners=bgd&epochs=50")
    assert page.get_by_label("Outliers").get_attribute("aria-valuetext") == "0 %"
    for slider in page.locator("input[type=range]").all():
        assert slider.get_attribute("aria-valuetext")
