"""Help comes at once: the command line answers it without importing torch or anything else that is heavy."""

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "scipy", "sklearn", "numba", "pandas", "pyarrow", "matplotlib", "formulaic"}
MAIN = """
import json, sys
from torchlinear.commands import main
sys.argv = ["torchlinear", *{arguments!r}]
try:
    main()
finally:
    print(json.dumps(list(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["demo", "--help"], ["fit", "--help"]], ids=" ".join
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MAIN.format(arguments=arguments)],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert not HEAVY & set(json.loads(done.stderr.strip().splitlines()[-1]))
