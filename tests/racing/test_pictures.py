"""Pictures show what the race holds; maps profile the other coefficients out; the page makes no request."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import torchlinear as tl
from torchlinear.racing.contours import Others
from torchlinear.racing.outcome import Race
from torchlinear.racing.pictures import map_of, pair
from torchlinear.racing.sentences import words


@pytest.fixture(scope="module")
def line() -> Race:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(50, generator=generator, dtype=torch.float64)
    y = 3 * x + 0.8 + 0.1 * torch.randn(50, generator=generator, dtype=torch.float64)
    return tl.race(x, y, solvers=["bgd", "sgd", "exact"], epochs=60)


def test_gaps_are_drawn_for_every_runner(line: Race) -> None:
    left, right = line.plot()
    assert left.get_yscale() == right.get_yscale() == left.get_xscale() == "log"
    assert [text.get_text() for text in right.get_legend().get_texts()] == [runner.label for runner in line]
    (drawn,) = [curve for curve in left.get_lines() if curve.get_label() == line["bgd"].label]
    np.testing.assert_allclose(drawn.get_xdata(), line["bgd"].passes[1:])
    np.testing.assert_allclose(drawn.get_ydata(), line["bgd"].gap[1:])
    with pytest.raises(tl.InvalidInput, match="'both', 'passes' or 'seconds'"):
        line.plot(against="hours")


def test_a_runner_that_diverges_is_seen_on_its_way_up() -> None:
    x = torch.linspace(0, 1, 30, dtype=torch.float64)
    race = tl.race(x, x.exp(), solvers=["bgd", "adam"], lr={"bgd": 3.0, "adam": 0.1}, epochs=50)
    ax = race.plot(against="passes")
    (drawn,) = [curve for curve in ax.get_lines() if curve.get_label() == race["bgd"].label]
    assert race["bgd"].gap[1] < ax.get_ylim()[1]
    assert drawn.get_ydata()[0] == race["bgd"].gap[1]


def test_a_runner_has_one_colour_in_all_pictures(line: Race) -> None:
    race = replace(line, runners=tuple(reversed(line.runners)))  # the exact solver first
    shown = race.plot(against="passes"), race.plot_paths()
    for runner, panel in zip(race, race.plot_fit()):
        colours = {
            curve.get_color() for ax in shown for curve in ax.get_lines() if curve.get_label() == runner.label
        }
        assert colours == {panel.get_lines()[0].get_color()}


def test_the_line_moves_through_the_points(line: Race) -> None:
    panels = line.plot_fit()
    assert len(panels) == 3
    ax = line.plot_fit(runner="bgd")
    first, *_, last, best = ax.get_lines()
    assert np.allclose(first.get_ydata(), 0.0)
    slope, intercept = line["bgd"].coef[-1, :, 0].tolist()
    np.testing.assert_allclose(last.get_ydata(), intercept + slope * last.get_xdata(), rtol=1e-12)
    slope, intercept = line.optimum.coef[:, 0].tolist()
    np.testing.assert_allclose(best.get_ydata(), intercept + slope * best.get_xdata(), rtol=1e-12)


def test_maps_of_squared_loss_have_the_others_at_their_best(rng: np.random.Generator) -> None:
    X = rng.normal(size=(50, 4)) @ (np.eye(4) + 0.5 * rng.normal(size=(4, 4)))
    y = X @ rng.normal(size=4) + 0.5 + rng.normal(size=50)
    race = tl.race(X, y, solvers=["bgd"], epochs=20)
    axes = pair(race, ["x1", "x3"])
    ground = map_of(race, axes, 9)
    assert ground.others is Others.BEST
    others = np.column_stack([X[:, [0, 2]], np.ones(50)])
    start, least = np.mean(y**2), race.optimum.loss
    for i, j in ((0, 0), (4, 7), (8, 2)):
        left = y - X[:, 1] * ground.x[j] - X[:, 3] * ground.y[i]
        left = left - others @ np.linalg.lstsq(others, left, rcond=None)[0]
        assert ground.gap[i, j] == pytest.approx((np.mean(left**2) - least) / (start - least), rel=1e-8)
    ax = race.plot_paths(features=["x1", "x3"])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x1", "x3")
    assert any("every other coefficient is at its best" in note.get_text() for note in ax.texts)
    with pytest.raises(tl.InvalidInput, match="'x9' is not a coefficient"):
        race.plot_paths(features=["x1", "x9"])
    with pytest.raises(tl.InvalidInput, match="one target over one feature"):
        race.plot_fit()


def test_maps_of_a_line_profile_nothing_out(line: Race) -> None:
    ax = line.plot_paths()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x", "Intercept")
    assert not any("other coefficient" in note.get_text() for note in ax.texts)


def test_maps_of_other_losses_have_the_others_at_their_best_too(rng: np.random.Generator) -> None:
    X = rng.normal(size=(80, 3))
    y = (X.sum(axis=1) + rng.normal(size=80) > 0).astype(float)
    race = tl.race(X, y, loss="logistic", penalty=tl.L2(0.05), solvers=["bgd"], epochs=20)
    ground = map_of(race, (0, 1), 15)
    assert ground.others is Others.BEST
    assert ground.gap.min() >= 0.0
    assert ground.gap.min() < 0.05


def test_a_sweep_is_one_curve_for_each_solver() -> None:
    x = torch.linspace(0, 1, 30, dtype=torch.float64)
    race = tl.race(x, x.exp(), solvers=["bgd", "adam", "exact"], lr="sweep", epochs=30)
    ax = race.plot()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["bgd", "adam"]
    (bgd,) = [curve for curve in ax.get_lines() if curve.get_label() == "bgd"]
    runners = [runner for runner in race if runner.solver.name == "bgd"]
    np.testing.assert_allclose(bgd.get_xdata(), [runner.lr for runner in runners])
    finite = [runner.final if runner.final < 1 else np.nan for runner in runners]
    np.testing.assert_allclose(bgd.get_ydata(), finite)


def test_the_report_is_one_file_whose_numbers_are_the_races(line: Race, tmp_path: Path) -> None:
    line.report(tmp_path / "race.html")
    page = (tmp_path / "race.html").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\"' ]+", page)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(link|img|iframe|script[^>]*src)", page)
    data = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])
    assert [runner["name"] for runner in data["runners"]] == ["bgd", "sgd", "exact"]
    bgd = data["runners"][0]
    np.testing.assert_allclose(bgd["gap"], line["bgd"].gap, rtol=1e-3)
    np.testing.assert_allclose(bgd["trail"], line["bgd"].coef[:, :, 0], rtol=1e-4, atol=1e-12)
    assert len(data["fit"]["points"]) == 50
    assert line["sgd"].why.split(":")[0] in page


def test_the_report_in_chinese_has_the_same_numbers_and_no_english(line: Race, tmp_path: Path) -> None:
    pages = {}
    for language in ("en", "zh"):
        line.report(tmp_path / "race.html", language=language)
        pages[language] = (tmp_path / "race.html").read_text(encoding="utf-8")
    data = {
        language: json.loads(re.search(r'id="data">(.*?)</script>', page)[1])
        for language, page in pages.items()
    }
    told = {
        language: (found.pop("words"), found["map"].pop("note"), found["map"].pop("names"))
        for language, found in data.items()
    }
    assert data["en"] == data["zh"]
    assert told["zh"] == (words("page", "zh"), "高度是全部 50 行数据上的损失。", ["x", "截距"])
    assert '<html lang="zh-CN">' in pages["zh"]
    assert '<html lang="en">' in pages["en"]
    shown = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", pages["zh"], flags=re.DOTALL)
    # What stays Latin: names of solvers, the loss as it is typed, units of time, and the terms of the field.
    latin = set(re.findall("[A-Za-z]{2,}", re.sub("Hessian|λmax|[mµ]s", "", shown)))
    assert latin <= {"bgd", "sgd", "exact", "squared"}
    for sentence in line.why:
        assert sentence.told("zh") in pages["zh"]


def test_a_report_in_another_language_is_refused_and_nothing_is_written(line: Race, tmp_path: Path) -> None:
    with pytest.raises(tl.InvalidInput, match="language='fr': expected 'en' or 'zh'"):
        line.report(tmp_path / "race.html", language="fr")
    assert not (tmp_path / "race.html").exists()


def test_the_report_of_several_columns_says_what_its_map_leaves_out(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    X = rng.normal(size=(60, 3))
    race = tl.race(X, X.sum(axis=1) + rng.normal(size=60), solvers=["bgd"], epochs=20, standardize=True)
    race.report(tmp_path / "race.html", "zh")
    page = (tmp_path / "race.html").read_text(encoding="utf-8")
    note = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])["map"]["note"]
    assert note.startswith("高度是全部 60 行数据上的损失。图上每一点，其余系数都取在该处的最优值，")
    assert note.endswith("各列已标准化。")
    assert "60 行数据，3 个特征，损失：squared，各列已标准化" in page


def test_names_in_the_report_are_text(tmp_path: Path) -> None:
    table = pd.DataFrame({"</script><b>": np.linspace(0, 1, 20), "b": np.linspace(0, 1, 20) ** 2})
    table["y & z"] = table.sum(axis=1) + np.sin(np.arange(20))
    tl.race(table, "y & z", solvers=["bgd", "exact"], epochs=5).report(tmp_path / "race.html")
    page = (tmp_path / "race.html").read_text(encoding="utf-8")
    assert "<b>" not in page
    assert page.count("</script>") == 2
