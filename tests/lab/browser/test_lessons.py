"""The lessons: every step runs, and what its text claims is read off the run."""

import pytest

pytest.importorskip("pytest_playwright", reason="BROWSER TESTS DO NOT RUN: pip install pytest-playwright")


class Table:
    """The standings, as numbers: passes to 10 %, 1 %, 0.01 %, or infinity."""

    def __init__(self, page):
        self.rows = {}
        for row in page.locator("#standings tbody tr").all():
            cells = row.locator("th, td").all_inner_texts()
            self.rows[cells[0]] = cells[1:]
        self.why = page.inner_text("#why")

    def passes(self, runner, column):
        text = self.rows[runner][1 + column].split("·")[0].strip().replace(",", "")
        return float("inf") if text == "not reached" else float(text)

    def one(self, runner):
        return self.passes(runner, 1)

    def tiny(self, runner):
        return self.passes(runner, 2)

    def gap(self, runner):
        text = self.rows[runner][0].replace("≈ ", "").replace("·10", "e")
        return float(text.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")))

    def rate(self, runner):
        return float(self.rows[runner][4])

    def ended(self, runner):
        return self.rows[runner][5]


def _run(lab, lesson, task):
    page = lab(f"lesson={lesson}&task={task}")
    page.keyboard.press("End") if page.evaluate("document.activeElement.id") == "scrub" else None
    return Table(page)


def test_a_lesson_is_a_page_of_its_own(lab, again):
    page = lab()
    again(lambda: page.click("#lesson-nav a:nth-child(3)"))
    assert "Why the learning rate has an edge" in page.title()
    assert page.evaluate("document.activeElement.tagName") == "H2"
    assert page.get_attribute("#lesson-nav a:nth-child(3)", "aria-current") == "page"
    again(lambda: page.locator("#lesson li button").nth(3).click())
    assert "diverged" in page.inner_text("#standings")
    assert "task=3" in page.url
    again(lambda: page.get_by_role("button", name="Next lesson").click())
    assert page.inner_text("#lesson h2") == "Noise and batch size"
    page.go_back()
    page.wait_for_selector("#lesson h2:has-text('edge')")
    page.click("#lesson-nav a:first-child")
    page.wait_for_selector("#lesson", state="hidden")


@pytest.mark.browser_context_args(reduced_motion="no-preference")
def test_a_step_begins_at_rest_and_goes_twice_as_far(lab):
    drops = []
    for task in (0, 1):
        page = lab(f"lesson=1&task={task}")
        assert page.inner_text("#clock") == "at the start"
        page.keyboard.press(".")
        page.wait_for_timeout(100)
        assert page.inner_text("#clock") == "after 1 pass"
        drops.append(Table(page).gap("BGD"))
    assert drops[1] < drops[0]


def test_lesson_one(lab):
    near, far = (_run(lab, 1, task).one("BGD") for task in (0, 2))
    assert far > near
    newton = _run(lab, 1, 3)
    assert "1 iteration" in newton.why
    assert newton.gap("Newton") == 0.0


def test_lesson_two(lab):
    slow, good, edge, over, chosen = (_run(lab, 2, task) for task in range(5))
    assert slow.one("BGD") == float("inf")
    assert 12 <= good.one("BGD") <= 24  # "some 18 passes"
    assert edge.tiny("BGD") < float("inf")
    assert over.ended("BGD") == "diverged"
    assert "2/λmax = 0.82" in over.why
    assert chosen.rate("BGD") == pytest.approx(0.41, abs=0.006)


def test_lesson_three(lab):
    first, smaller, larger, quiet = (_run(lab, 3, task) for task in range(4))
    assert first.one("SGD") < 1.0 < 100 < first.one("BGD")
    assert "hovers" in first.why
    assert 5 < smaller.one("SGD") / first.one("SGD") < 20
    assert larger.one("MBGD") > 2 * first.one("MBGD")
    assert quiet.gap("SGD") == 0.0
    assert quiet.ended("SGD") == "arrived"
    assert "hovers" not in quiet.why


def test_lesson_four(lab):
    same, scaled, standard, alike, both = (_run(lab, 4, task) for task in range(5))
    assert 10 <= same.one("BGD") <= 20  # "some 15 passes"
    assert "35 times" in same.why
    assert 700 < scaled.one("BGD") < 900
    assert standard.one("BGD") == 2.0
    assert alike.one("BGD") > 40
    assert 80 < float(alike.why.split(" times as steep")[0].split()[-1]) < 120
    assert both.one("BGD") == float("inf")
    assert both.gap("Newton") == 0.0


def test_lesson_five(lab):
    round_, scaled, small, real = (_run(lab, 5, task) for task in range(4))
    assert round_.one("BGD") == 2.0 < min(round_.one("Adam"), round_.one("AdaGrad"))
    assert max(scaled.one("Adam"), scaled.one("AdaGrad")) < 100 < 500 < scaled.one("BGD")
    assert small.tiny("AdaGrad") > 10 * small.tiny("Adam")
    assert real.one("BGD") < min(real.one("Adam"), real.one("AdaGrad"))
    assert real.tiny("Adam") < real.tiny("AdaGrad") < real.tiny("BGD")


def test_chinese_lessons_have_the_same_steps(lab):
    page = lab("lesson=5&lang=zh")
    assert page.locator("#lesson li").count() == 4
    assert page.inner_text("#lesson h2") == "AdaGrad 与 Adam，以及普通下降何时更快"
