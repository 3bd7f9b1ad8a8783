"""Photograph the lab for the READMEs: `python docs/images/lab.py [FOLDER]`; default: beside it.

`lab.png`: the lab as it opens, as Debian's chromium shows it. It needs the extra `dev` and chromium.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

COMMAND = "import sys; from torchlinear.commands import main; sys.exit(main())"
SIZE = {"width": 1360, "height": 1000}


def main(folder: Path) -> None:
    """Start the lab, wait for its race and write the picture."""
    arguments = [sys.executable, "-c", COMMAND, "lab", "--no-browser", "--json"]
    with (
        subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process,
        sync_playwright() as driver,
    ):
        assert process.stdout is not None
        address = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")["url"]
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, reduced_motion="reduce", locale="en-US")
        page.goto(address)
        page.wait_for_selector("body[data-run=done]", timeout=120_000)
        page.screenshot(path=folder / "lab.png")
        browser.close()
        process.terminate()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
