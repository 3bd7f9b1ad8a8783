"""Other data: the user's own CSV or Parquet, built-in sets, the maker; and what is said of a file that is no good."""

import re

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("pytest_playwright", reason="BROWSER TESTS DO NOT RUN: pip install pytest-playwright")


@pytest.fixture
def houses(tmp_path, rng):
    area = rng.uniform(40, 200, 60)
    kind = np.where(area + rng.normal(0, 40, 60) > 120, "large", "small")
    frame = pd.DataFrame({"kind": kind, "area": area, "rooms": np.round(area / 25), "price": 3 * area + 20})
    frame.to_csv(tmp_path / "houses.csv", index=False)
    frame.to_parquet(tmp_path / "houses.parquet")
    return tmp_path


@pytest.mark.parametrize("name", ["houses.csv", "houses.parquet"])
def test_a_file_of_ones_own(lab, again, houses, name):
    page = lab("runners=bgd;adam&epochs=50")
    again(lambda: page.set_input_files("#file", str(houses / name)))
    assert "60 rows, 4 columns" in page.inner_text("#data-panel .facts")
    page.get_by_label("Target").wait_for()
    if page.get_by_label("Target").input_value() != "price":
        again(lambda: page.get_by_label("Target").select_option("price"))
    again(lambda: page.locator(".features").get_by_text("rooms").click())
    slope = re.search(r"price = ([\d.]+) area", page.inner_text("#fit-note"))[1]
    assert float(slope) == pytest.approx(3.0)
    assert "houses" not in page.url  # a file stays where it is


def test_classes_of_a_file(lab, again, houses):
    page = lab("runners=bgd&epochs=50&penalty=l2:0.01")  # which these 60 rows need in one seed of many
    again(lambda: page.set_input_files("#file", str(houses / "houses.csv")))
    if page.get_by_label("Target").input_value() != "kind":
        again(lambda: page.get_by_label("Target").select_option("kind"))
    assert page.get_by_label("Loss", exact=True).input_value() == "logistic"
    assert page.locator("#standings tbody tr").count() == 2


def test_a_file_that_is_no_table_is_refused_in_words_and_the_page_lives(lab, again, tmp_path, complaints):
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 this is not a table")
    page = lab("runners=bgd&epochs=50")
    page.set_input_files("#file", str(tmp_path / "broken.parquet"))
    page.wait_for_selector("#problem:not([hidden])")
    words = page.inner_text("#problem p")
    assert words.startswith("broken.parquet could not be read")
    assert "Traceback" not in words
    page.click("#problem-close")
    page.wait_for_selector("#problem", state="hidden")
    again(lambda: page.get_by_label("Data set").select_option("maker"))
    assert "Make your own" in page.inner_text("#data-panel .facts")
    assert all("422" in words or "400" in words for words in complaints)  # the browser notes the refusal
    complaints.clear()


def test_a_lab_that_is_gone_is_said_in_words(lab, complaints):
    page = lab("runners=bgd&epochs=50")
    page.route("**/api/**", lambda route: route.abort())
    page.get_by_label("Data set").select_option("maker")
    page.wait_for_selector("#problem:not([hidden])")
    assert "torchlinear lab" in page.inner_text("#problem p")
    page.unroute("**/api/**")
    assert all("Failed to load" in words for words in complaints)
    complaints.clear()


def test_real_data_with_several_features(lab, again):
    page = lab("data=builtin:name=diabetes&standardize=true&runners=bgd;newton&epochs=100")
    assert page.locator(".features input:checked").count() == 10
    assert "means" in page.inner_text("#fit-note")
    page.select_option("#across", "bmi")
    page.wait_for_selector("#fit[aria-label*=bmi]")
    again(lambda: page.select_option("#axis-x", label="s5"))
    assert "s5" in page.get_attribute("#map", "aria-label")


def test_lasso_coefficients_die(lab, again):
    page = lab("data=builtin:name=diabetes&standardize=true&runners=bgd&epochs=300&penalty=l1:0.01")
    dead = [_zeros(page)]
    for strength in ("0.5", "1.2"):  # log10
        again(lambda strength=strength: page.get_by_label("Strength").fill(strength))
        dead.append(_zeros(page))
    assert dead[0] < dead[1] < dead[2]


def _zeros(page) -> int:
    return int(re.search(r"(\d+) of 10 are exactly zero", page.inner_text("#coefs-note"))[1])


def test_sliders_of_the_maker(lab, again):
    page = lab("data=maker:n=40&runners=bgd&epochs=50")
    again(lambda: page.get_by_label("Slope").fill("-2"))
    assert "slope=-2" in page.url
    assert re.search(r"y = −(1\.[5-9]|2\.[0-5])", page.inner_text("#fit-note"))
    again(lambda: page.get_by_label("Features", exact=True).fill("3"))
    assert page.get_by_label("Correlation of features").is_visible()
    assert page.locator(".features input").count() == 3


def test_three_classes(lab):
    page = lab("data=builtin:name=iris&penalty=l2:0.01&runners=bgd&epochs=100")
    assert page.get_by_label("Loss", exact=True).input_value() == "softmax"
    page.select_option("#class-select", label="virginica")
    page.wait_for_timeout(100)
    assert "virginica" in page.inner_text("#class-select option:checked")


def test_classes_without_overlap_get_the_advice_of_a_ridge(lab, again):
    page = lab("data=builtin:name=iris&runners=bgd&epochs=50", wait="#remedy:not([hidden])")
    again(lambda: page.click("#remedy"))
    page.wait_for_selector("#problem", state="hidden")
    assert "penalty=l2:0.01" in page.url
