"""The programs that the page shows run as they are shown; the report stands alone."""

import re
import subprocess
import sys

import pytest

pytest.importorskip("pytest_playwright", reason="BROWSER TESTS DO NOT RUN: pip install pytest-playwright")

REMOTE = re.compile(r"(?:src|href|url)\s*[=(]\s*[\"']?https?://", re.IGNORECASE)


@pytest.mark.parametrize("tab", ["torch", "torchlinear"])
@pytest.mark.browser_context_args(permissions=["clipboard-read", "clipboard-write"])
def test_the_code_runs_as_shown(lab, tmp_path, tab):
    page = lab("runners=bgd:lr=0.1;adam:lr=0.1&epochs=200")
    page.click("#show-code")
    page.click(f"#tab-{tab}")
    shown = page.locator("#code-text").text_content()
    page.click("#code-copy")
    page.wait_for_selector("#code-said:has-text('Copied')")
    assert page.evaluate("navigator.clipboard.readText()") == shown
    page.keyboard.press("Escape")
    assert not page.locator("#code").is_visible()
    (tmp_path / "run.py").write_text(shown)
    done = subprocess.run(
        [sys.executable, "run.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_report_is_saved(lab, tmp_path):
    page = lab("runners=bgd;adam&epochs=200")
    with page.expect_download() as found:
        page.click("#report")
    path = tmp_path / "report.html"
    found.value.save_as(path)
    text = path.read_text()
    assert text.lower().lstrip().startswith("<!doctype html")
    assert "adam" in text.lower()
    assert not REMOTE.search(text)
