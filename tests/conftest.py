"""Settings and fixtures that all tests share."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent

# Set before numba and matplotlib are imported, here and in the processes that tests start.
os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / ".numba_cache"))  # kernels are compiled once, not per run
os.environ["MPLBACKEND"] = "Agg"

torch.set_num_threads(2)


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def truth() -> Path:
    """The folder with values that come from outside: NIST, R, other libraries."""
    return ROOT / "tests" / "truth"


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are new in every run, unless TORCHLINEAR_TEST_SEED is set; a failure shows the seed."""
    seed = int(os.environ.get("TORCHLINEAR_TEST_SEED") or np.random.SeedSequence().generate_state(1)[0])
    print(f"seed {seed}")
    return np.random.default_rng(seed)


@pytest.fixture(autouse=True)
def _seed() -> None:
    """The same random numbers in every test, whatever ran before it."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    """No figure outlives its test: matplotlib warns from the twenty-first on, and warnings are errors."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
