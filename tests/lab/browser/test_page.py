"""What one sees first, in both languages, light and dark, wide and narrow; and links that bring it back."""

import pytest

pytest.importorskip("pytest_playwright", reason="BROWSER TESTS DO NOT RUN: pip install pytest-playwright")

DARK = "getComputedStyle(document.body).backgroundColor"
SHADES = """id => {
  const canvas = document.getElementById(id);
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  const seen = new Set();
  for (let i = 0; i < data.length; i += 4) if (data[i + 3]) seen.add(data[i] * 65536 + data[i + 1] * 256 + data[i + 2]);
  return seen.size;
}"""


def test_the_tutorials_race_is_there_at_once(lab):
    page = lab()
    assert page.title() == "torchlinear lab"
    rows = page.locator("#standings tbody tr th").all_inner_texts()
    assert sorted(rows[:-1]) == ["AdaGrad", "Adam", "BGD", "MBGD", "SGD"]
    assert rows[-1] == "Exact"
    assert "y = 3 x + 0.8" in page.inner_text("#fit-note")
    assert "2/λmax" in page.inner_text("#why")
    assert page.locator("#legend li").count() == 5


@pytest.mark.parametrize("canvas", ["fit", "map", "coefs"])
def test_every_chart_is_drawn(lab, canvas):
    page = lab()
    page.wait_for_timeout(200)
    assert page.evaluate(SHADES, canvas) > 20


def test_the_loss_chart_has_a_line_for_each_runner(lab):
    page = lab("runners=bgd;adam")
    page.wait_for_selector("#gap canvas")
    assert page.locator("#legend li").all_inner_texts() == ["BGD", "Adam"]
    page.locator("#gap .u-over").hover()
    assert page.locator("#gap .reading div").count() == 3


@pytest.mark.browser_context_args(locale="zh-CN")
def test_chinese_follows_the_browser(lab):
    page = lab()
    assert page.get_attribute("html", "lang") == "zh-CN"
    assert page.inner_text("#panel-data h2") == "数据"
    assert page.locator("#play").inner_text() == "播放"


def test_the_language_can_be_switched_and_stays_in_the_link(lab):
    page = lab()
    page.click("#language")
    page.wait_for_selector("html[lang=zh-CN]")
    assert page.inner_text("#standings-title") == "排名"
    assert "lang=zh" in page.url
    page.reload()
    page.wait_for_selector("body[data-run=done]")
    page.wait_for_selector("html[lang=zh-CN]")
    page.click("#language")
    page.wait_for_selector("html[lang=en]")
    assert page.inner_text("#standings-title") == "Standings"


def test_nothing_is_left_in_english(lab):
    page = lab("lang=zh&data=maker:features=2&penalty=l1:0.1&lesson=4")
    words = page.evaluate(
        """() => [...document.querySelectorAll('main, aside, header, .transport')].map(e => e.innerText).join(' ')"""
    )
    for english in (
        "Play",
        "Data set",
        "Features",
        "Standings",
        "Penalty",
        "Learning rate",
        "Runners",
        "Lesson",
    ):
        assert english not in words


@pytest.mark.browser_context_args(color_scheme="dark")
def test_dark_follows_the_system_and_can_be_switched(lab):
    page = lab()
    dark = page.evaluate(DARK)
    ground = page.evaluate(SHADES, "map")
    page.click("#theme")
    page.wait_for_selector("html[data-theme=light]")
    assert "theme=light" in page.url
    light = page.evaluate(DARK)
    assert _brightness(light) > 200 > 60 > _brightness(dark)
    page.wait_for_timeout(150)
    assert page.evaluate(SHADES, "map") != ground  # the canvas has been drawn again in other colours
    page.click("#theme")
    assert page.evaluate(DARK) == dark
    assert "theme" not in page.url


def _brightness(colour: str) -> float:
    return sum(float(part) for part in colour[4:-1].split(",")) / 3


@pytest.mark.browser_context_args(viewport={"width": 390, "height": 844})
@pytest.mark.parametrize(
    "fragment", ["", "lang=zh&lesson=2", "data=builtin:name=diabetes&standardize=true&runners=bgd&epochs=100"]
)
def test_a_phone_scrolls_in_one_direction_only(lab, fragment):
    page = lab(fragment)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    sizes = page.evaluate(
        """() => [...document.querySelectorAll('button, select, input, summary')]
        .filter(e => e.checkVisibility() && !e.closest('dialog') && !e.matches('.hidden'))
        .map(e => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
        .filter(([_, box]) => box.width > 0 && (box.left < 0 || box.right > 391))"""
    )
    assert sizes == []


def test_a_link_brings_back_what_was_chosen(lab):
    page = lab(
        "data=maker:n=80,noise=0.7,seed=3&runners=bgd:lr=0.05;newton&epochs=40&loss=huber&speed=2&by=seconds"
    )
    assert "80 rows" in page.inner_text("#data-panel .facts")
    rows = page.locator("#standings tbody tr")
    assert {row.split("\t")[0].strip() for row in rows.all_inner_texts()} == {"BGD", "Newton", "Exact"}
    assert page.input_value("#speed") == "2"
    assert page.input_value("#by") == "seconds"
    before = page.inner_text("#fit-note")
    page.reload()
    page.wait_for_selector("body[data-run=done]")
    assert page.inner_text("#fit-note") == before


def test_a_broken_link_opens_the_lab_as_usual(lab):
    page = lab("data=points:1,2;x&runners=&epochs=many&axes={&lang=tlh&penalty=l9:1&nonsense=1")
    assert "y = 3 x + 0.8" in page.inner_text("#fit-note")


def test_each_term_is_explained(lab):
    page = lab()
    page.hover("#gap-title")
    page.wait_for_selector("#tip:not([hidden])")
    assert "exact solver" in page.inner_text("#tip")
    page.keyboard.press("Escape")
    page.wait_for_selector("#tip", state="hidden")
    for place, words in (
        ("#map-note span", "steeper"),
        ("tr.exact span", "solved at once"),
        ("#standings th:last-child span", "ended"),
    ):
        page.locator(place).scroll_into_view_if_needed()
        page.wait_for_timeout(100)  # scrolling takes a tip away
        page.hover(place)
        page.wait_for_selector(f"#tip:not([hidden]):has-text('{words}')")


def test_the_exact_answer_stands_however_the_column_is_scaled(lab):
    page = lab("data=maker:noise=0.5,scale=100&runners=bgd&epochs=10")
    assert "not reached" in page.inner_text("#standings tbody tr:first-child")
    assert "1 pass" in page.inner_text("#standings tr.exact")


def test_the_exact_solver_of_classes_says_how_many_passes_it_made(lab):
    page = lab("data=builtin:name=breast_cancer&standardize=true&penalty=l2:0.1&runners=newton&epochs=50")
    words = page.inner_text("#standings tr.exact td:nth-child(3)")
    assert int(words.split(" passes")[0]) > 3


def test_silence_of_the_server_is_explained(lab):
    page = lab("runners=bgd&epochs=50")
    held = []
    page.route("**/api/runs", lambda route: held.append(route))
    page.get_by_label("AdaGrad", exact=True).check()
    page.wait_for_selector("#waiting:not([hidden])")
    assert "compiles" in page.inner_text("#waiting")
    page.evaluate("document.body.dataset.run = 'old'")
    held[0].continue_()
    page.wait_for_selector("body[data-run=done]")
    page.wait_for_selector("#waiting", state="hidden")


def test_classes_that_are_numbers_are_drawn_as_the_classes_they_are(lab, again, tmp_path):
    """Of y = 1 for x < 5 and 2 beyond, but for two points, the points at the top are those on the right."""
    rows = "".join(f"{x},{1 if x < 5 else 2}\n" for x in range(10))
    (tmp_path / "grades.csv").write_text("x,grade\n" + rows + "4.5,2\n5.5,1\n")
    page = lab("runners=bgd&epochs=50")
    again(lambda: page.set_input_files("#file", str(tmp_path / "grades.csv")))
    if page.get_by_label("Loss", exact=True).input_value() != "logistic":
        again(lambda: page.get_by_label("Loss", exact=True).select_option("logistic"))
    page.wait_for_timeout(200)
    left, right = page.evaluate(TOPMOST)
    assert right < 0.2 < 0.8 < left


# How far down, as a share of the plot, the highest point of each half of the picture lies.
TOPMOST = """() => {
  const canvas = document.getElementById('fit');
  const probe = document.createElement('i');
  probe.style.color = 'var(--point)';
  document.body.append(probe);
  const [r, g, b] = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
  probe.remove();
  const { width, height } = canvas;
  const data = canvas.getContext('2d').getImageData(0, 0, width, height).data;
  const found = [1, 1];
  for (let x = 0; x < width; x++) for (let y = 0; y < height; y++) {
    const at = 4 * (y * width + x);
    if (Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b) > 60) continue;
    const half = x < width * 0.45 ? 0 : x > width * 0.62 ? 1 : null;
    if (half !== null) found[half] = Math.min(found[half], y / height);
  }
  return found;
}"""
