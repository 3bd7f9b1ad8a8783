"""What the server says is read in the language of the page, and in the other one once that is chosen."""

import re

import pytest

pytest.importorskip("pytest_playwright", reason="BROWSER TESTS DO NOT RUN: pip install pytest-playwright")


def test_a_refusal_is_read_in_chinese_and_in_english_once_that_is_chosen(lab, tmp_path, complaints):
    (tmp_path / "one.csv").write_text("x\n1\n2\n")
    page = lab("lang=zh&runners=bgd&epochs=50")
    page.set_input_files("#file", str(tmp_path / "one.csv"))
    page.wait_for_selector("#problem:not([hidden])")
    assert page.inner_text("#problem p").startswith("one.csv 里没有可以用一列去解释另一列的数据")
    page.click("#language")
    page.wait_for_selector("html[lang=en]")
    page.wait_for_selector("#problem p:has-text('one.csv has no column to explain by another')")
    assert all("422" in words for words in complaints)  # the browser notes the refusal
    complaints.clear()


def test_what_the_library_says_is_introduced_in_chinese(lab, tmp_path, complaints):
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 this is not a table")
    page = lab("lang=zh&runners=bgd&epochs=50")
    page.set_input_files("#file", str(tmp_path / "broken.parquet"))
    page.wait_for_selector("#problem:not([hidden])")
    assert page.inner_text("#problem p").startswith(
        "torchlinear 的说明（英文）：broken.parquet could not be read"
    )
    complaints.clear()


def test_a_failed_run_is_read_in_chinese_and_offers_the_ridge(lab, again):
    page = lab("lang=zh&data=builtin:name=iris&runners=bgd&epochs=50", wait="#remedy:not([hidden])")
    assert page.inner_text("#problem p").startswith("没有最优解可以趋近")
    again(lambda: page.click("#remedy"))
    page.wait_for_selector("#problem", state="hidden")


def test_the_exact_solver_is_named_in_chinese(lab):
    page = lab("lang=zh&runners=bgd&epochs=50")
    names = [name.strip() for name in page.locator("#standings tbody th").all_inner_texts()]
    assert names == ["BGD", "精确解"]


def test_runners_that_cannot_run_are_named_in_chinese(lab):
    page = lab("lang=zh&data=maker:features=2&runners=newton;bgd&epochs=50&penalty=l1:0.1")
    assert re.search("：torchlinear 的说明（英文）：newton", page.inner_text("#why"))


@pytest.mark.parametrize(
    ("language", "rows", "others"),
    [("en", "all 442 rows", "every other coefficient is at its best"), ("zh", "全部 442 行", "其余系数都取")],
)
def test_the_note_of_a_map_says_what_it_leaves_out(lab, language, rows, others):
    page = lab(f"lang={language}&data=builtin:name=diabetes&standardize=true&runners=bgd&epochs=50")
    note = page.inner_text("#map-note")
    assert rows in note
    assert others in note


def test_the_report_is_in_the_language_of_the_page(lab, tmp_path):
    page = lab("lang=zh&runners=bgd;adam&epochs=50")
    with page.expect_download() as found:
        page.click("#report")
    found.value.save_as(tmp_path / "report.html")
    page.goto((tmp_path / "report.html").as_uri())
    assert page.title() == "2 个算法的比赛"
    assert page.inner_text("#play") == "播放"
    assert page.inner_text("#now").endswith(" 遍")
    page.get_by_label("求解用的秒数").check()
    assert "求解用的秒数" in page.text_content("#gaps")
    page.locator("#slider").fill("0")
    assert page.inner_text("#now") == "起点"


def test_text_columns_are_features(lab, again, tmp_path):
    rows = [f"{city},{area},{3 * area + {'Lyon': 0, 'Nice': 20, 'Paris': 70}[city]}"
            for area, city in zip(range(30, 90, 2), 10 * ["Lyon", "Nice", "Paris"])]  # fmt: skip
    (tmp_path / "flats.csv").write_text("\n".join(["city,area,price", *rows]))
    page = lab("runners=bgd;adam&epochs=50&standardize=true")
    again(lambda: page.set_input_files("#file", str(tmp_path / "flats.csv")))
    again(lambda: page.locator(".features").get_by_text("city").click())
    label = page.get_attribute("#coefs", "aria-label")
    assert [float(value) for value in re.findall(r"city\[T\.\w+\] ([\d.]+)", label)] == pytest.approx(
        [20 * 2**0.5 / 3, 70 * 2**0.5 / 3], rel=0.01
    )  # each indicator has a standard deviation of sqrt(2) / 3
    page.select_option("#across", "city[T.Paris]")
    page.wait_for_selector("#fit[aria-label*='city[T.Paris]']")
    page.get_by_label("Standardise the features").uncheck()
    assert page.locator(".features input:checked").count() == 2
