"""What the page is told of a run is what ran, and so is the report that it saves."""

import json
import re

import numpy as np
import pytest


@pytest.mark.parametrize("standardize", [True, False])
def test_the_report_names_the_columns_and_their_units(site, standardize: bool) -> None:
    run = site.run(
        site.data(kind="builtin", name="diabetes"), features=["bmi", "s5"], standardize=standardize
    )
    start, *_, (_, end) = site.events(run)
    pages = {
        language: site.ask("GET", f"api/runs/{run}/report?lang={language}").body.decode()
        for language in ("en", "zh")
    }
    assert ("442 rows, 2 features, loss: squared, standardised columns" in pages["en"]) == standardize
    assert ("442 行数据，2 个特征，损失：squared，各列已标准化" in pages["zh"]) == standardize
    told = json.loads(re.search(r'id="data">(.*?)</script>', pages["en"])[1])
    assert told["map"]["names"] == ["bmi", "s5"]
    assert told["map"]["note"].endswith("Columns are standardised.") == standardize
    np.testing.assert_allclose(told["map"]["best"], start[1]["optimum"]["coef"][:2], rtol=1e-4)
    assert [sentence["zh"] in pages["zh"] for sentence in end["why"]] == [True] * len(end["why"])
