"""Random numbers for the kernels: new ones in every run, and the seed shown where a test fails."""

import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seed {seed}")
    return np.random.default_rng(seed)
