"""Points under the hand: dragged, added and removed, by mouse and by keyboard; all follows."""

import re

import pytest

pytest.importorskip("pytest_playwright", reason="BROWSER TESTS DO NOT RUN: pip install pytest-playwright")

THREE = "data=points:0,1,2;0,1,2&runners=bgd&epochs=200"
# Centres of the points that are drawn, in CSS pixels of the canvas, from left to right: columns of their colour.
CENTRES = """() => {
  const canvas = document.getElementById('fit');
  const probe = document.createElement('i');
  probe.style.color = 'var(--point)';
  document.body.append(probe);
  const [r, g, b] = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
  probe.remove();
  const { width, height } = canvas;
  const data = canvas.getContext('2d').getImageData(0, 0, width, height).data;
  const found = [];
  for (let x = 0; x < width; x++) for (let y = 0; y < height; y++) {
    const at = 4 * (y * width + x);
    if (Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b) > 60) continue;
    let near = found.find(([sx, sy, n]) => Math.hypot(sx / n - x, sy / n - y) < 12);
    if (!near) found.push(near = [0, 0, 0]);
    near[0] += x; near[1] += y; near[2]++;
  }
  const scale = canvas.clientWidth / width;
  return found.filter(([, , n]) => n > 8).map(([sx, sy, n]) => [sx / n * scale, sy / n * scale]);
}"""


def _line(page) -> tuple[float, float]:
    """Slope and intercept of the exact line, as the page writes them."""
    text = page.inner_text("#fit-note").replace("−", "-").replace("- ", "-").replace("+ ", "")
    slope, intercept = re.search(r"y = (-?[\d.]+) x (-?[\d.]+)", text).groups()
    return float(slope), float(intercept.rstrip("."))


def _at(page, centre) -> tuple[float, float]:
    box = page.locator("#fit").bounding_box()
    return box["x"] + centre[0], box["y"] + centre[1]


def test_dragging_a_point_moves_the_line(lab, again):
    page = lab(THREE)
    assert _line(page) == (1.0, 0.0)
    centres = page.evaluate(CENTRES)
    assert len(centres) == 3
    x, y = _at(page, centres[-1])
    page.mouse.move(x, y)
    page.mouse.down()
    again(lambda: page.mouse.move(x, y + 60, steps=8))
    during = _line(page)
    again(lambda: page.mouse.move(x, y + 120, steps=8))
    page.mouse.up()
    for _ in range(100):  # every move of the drag began a run: until that of the last
        after, slope = _line(page), _least_squares(page.url)
        if after[0] == pytest.approx(slope, rel=2e-3):
            break
        page.wait_for_timeout(100)
    assert after[0] == pytest.approx(slope, rel=2e-3)  # from the link's four figures
    assert 1.0 > during[0] > after[0]
    assert page.locator("#data-panel select").first.input_value() == "points"


def _least_squares(url: str) -> float:
    """Slope of the three points of a link, by hand."""
    points = [float(v) for v in re.search(r"points:([^&]+)", url)[1].replace(";", ",").split(",")]
    xs, ys = points[:3], points[3:]
    middle = sum(xs) / 3
    return sum((a - middle) * b for a, b in zip(xs, ys, strict=True)) / sum((a - middle) ** 2 for a in xs)


def test_the_tutorials_points_can_be_dragged_too(lab, again):
    page = lab("runners=bgd&epochs=100")
    x, y = _at(page, page.evaluate(CENTRES)[0])
    page.mouse.move(x, y)
    page.mouse.down()
    again(lambda: page.mouse.move(x, y - 80, steps=4))
    page.mouse.up()
    assert _line(page) != (3.0, 0.8)


def test_points_are_added_and_removed_by_mouse(lab, again):
    page = lab(THREE)
    box = page.locator("#fit").bounding_box()
    again(lambda: page.mouse.dblclick(box["x"] + 0.3 * box["width"], box["y"] + 0.2 * box["height"]))
    page.wait_for_timeout(100)
    assert len(page.evaluate(CENTRES)) == 4
    x, y = _at(page, page.evaluate(CENTRES)[0])
    again(lambda: page.mouse.click(x, y, button="right"))
    assert "3 rows" in page.inner_text("#data-panel .facts")
    page.keyboard.down("Alt")
    x, y = _at(page, page.evaluate(CENTRES)[0])
    again(lambda: page.mouse.click(x, y))
    page.keyboard.up("Alt")
    assert "2 rows" in page.inner_text("#data-panel .facts")


def test_points_by_keyboard(lab, again):
    page = lab(THREE)
    page.focus("#fit")
    page.keyboard.press("n")
    assert page.inner_text("#status") == "Point 1 of 3: x 0, y 0."
    page.keyboard.press("p")
    assert page.inner_text("#status") == "Point 3 of 3: x 2, y 2."
    again(lambda: page.keyboard.press("Shift+ArrowDown"))
    assert _line(page)[0] < 1.0
    again(lambda: page.keyboard.press("Enter"))
    assert "4 rows" in page.inner_text("#data-panel .facts")
    again(lambda: page.keyboard.press("Delete"))
    again(lambda: page.keyboard.press("Delete"))
    assert "2 rows" in page.inner_text("#data-panel .facts")
    page.keyboard.press("Delete")
    assert page.inner_text("#status") == "Two points must stay."
