"""Play, pause, step, speed, the clock, and the start that is chosen on the map."""

import re

import pytest

pytest.importorskip("pytest_playwright", reason="BROWSER TESTS DO NOT RUN: pip install pytest-playwright")

moving = pytest.mark.browser_context_args(reduced_motion="no-preference")
SLOW = "speed=0.25&runners=bgd:lr=0.1&epochs=300"


def _passes(page) -> float:
    found = re.search(r"[\d,.]+", page.inner_text("#clock"))
    return float(found[0].replace(",", "")) if found else 0.0


@moving
def test_play_and_pause(lab):
    page = lab(SLOW)
    assert page.inner_text("#play") == "Pause"  # it plays by itself
    early = _passes(page)
    page.wait_for_timeout(700)
    page.click("#play")
    paused = _passes(page)
    assert paused > early
    page.wait_for_timeout(300)
    assert _passes(page) == paused
    page.keyboard.press("k")
    page.wait_for_timeout(500)
    assert _passes(page) > paused


@moving
def test_steps_are_those_of_the_algorithm(lab):
    page = lab(SLOW)
    page.click("#rewind")
    assert page.inner_text("#clock") == "at the start"
    gaps = []
    for _ in range(3):
        page.click("#step")
        page.wait_for_timeout(60)
        gaps.append(float(page.inner_text("#standings tbody tr:first-child td:nth-child(2)")))
    assert page.inner_text("#clock") == "after 3 passes"
    assert gaps[0] > gaps[1] > gaps[2]
    page.keyboard.press(",")
    page.wait_for_timeout(60)
    assert page.inner_text("#clock") == "after 2 passes"


@moving
def test_pictures_come_at_the_pace_of_the_screen(lab):
    page = lab("speed=0.25")
    page.wait_for_timeout(300)
    costs = page.evaluate(
        """async () => {
          const costs = [];
          for (let i = 0; i < 30; i++) {
            const began = await new Promise(requestAnimationFrame);
            costs.push(performance.now() - began);
          }
          return costs.sort((a, b) => a - b);
        }"""
    )
    assert costs[15] < 1000 / 60  # the median picture of five runners is ready within a sixtieth of a second


@moving
def test_a_faster_clock_is_faster(lab):
    page = lab("speed=4&runners=bgd&epochs=300")
    page.wait_for_timeout(2600)  # seven seconds a run at speed 1
    assert page.inner_text("#play") == "Play"
    assert page.inner_text("#clock") == "after 300 passes"


def test_with_little_motion_nothing_plays_by_itself(lab):
    page = lab("runners=bgd&epochs=300")
    assert page.inner_text("#play") == "Play"
    assert page.inner_text("#clock") == "after 300 passes"


def test_the_slider_moves_through_time(lab):
    from playwright.sync_api import expect

    page = lab("runners=bgd&epochs=300")
    page.focus("#scrub")
    page.keyboard.press("Home")
    expect(page.locator("#clock")).to_have_text("at the start")
    page.keyboard.press("End")
    expect(page.locator("#clock")).to_have_text("after 300 passes")
    assert page.get_attribute("#scrub", "aria-valuetext") == "after 300 passes"


def test_seconds_as_the_clock(lab):
    page = lab("runners=bgd&epochs=300")
    page.select_option("#by", "seconds")
    page.wait_for_timeout(100)
    assert re.fullmatch(r"after [\d.e+]+ (s|ms|µs)", page.inner_text("#clock"))


def test_a_click_on_the_map_starts_there(lab, again):
    page = lab("runners=bgd:lr=0.1&epochs=50")
    box = page.locator("#map").bounding_box()
    again(lambda: page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"]))
    start = re.search(r"start=([^&]+)", page.url)[1]
    assert len(start.replace("%5B", "").replace("%5D", "").split(",")) == 2
    page.click("#rewind")
    page.wait_for_timeout(100)
    assert float(page.inner_text("#standings tbody tr:first-child td:nth-child(2)")) > 0


def test_the_map_works_by_keyboard(lab, again):
    page = lab("runners=bgd:lr=0.1&epochs=50")
    page.focus("#map")
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowUp"):
        page.keyboard.press(key)
    again(lambda: page.keyboard.press("Enter"))
    assert "start=" in page.url


def test_learning_rates_are_set_by_hand(lab, again):
    page = lab("runners=bgd&epochs=300")
    auto = page.locator(".runner .rate input[type=checkbox]")
    assert page.locator(".runner .rate input[type=range]").is_disabled()
    again(auto.uncheck)
    rate = page.locator(".runner .rate input[type=range]")
    again(lambda: rate.fill("0.5"))  # log10 of 3.2: beyond the edge
    assert "diverged" in page.inner_text("#standings tbody tr:first-child")
    assert "2/λmax" in page.inner_text("#why")


def test_runners_come_and_go(lab, again):
    page = lab("runners=bgd&epochs=100")
    again(lambda: page.get_by_label("Newton", exact=True).check())
    assert page.locator("#standings tbody tr").count() == 3
    again(lambda: page.get_by_label("BGD", exact=True).uncheck())
    assert page.locator("#standings tbody tr").count() == 2
    page.get_by_label("Newton", exact=True).click()  # the last one stays
    assert page.get_by_label("Newton", exact=True).is_checked()
