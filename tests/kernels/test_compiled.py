import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import torchlinear.kernels.moments
from torchlinear.errors import TorchlinearWarning
from torchlinear.kernels import Kernel, cache, compiled, inlined


@inlined
def square(x):
    return x * x


def _sum_of_squares(x):
    s = 0.0
    for i in range(x.size):
        s += square(x[i])
    return s


SIGNATURES = "float64(const float64[::1])", "float64(const float32[::1])"
X = np.array([1.0, 2.0, 3.0])


@pytest.fixture
def kernel() -> Kernel:
    return compiled(*SIGNATURES)(_sum_of_squares)


def run(code: str, **environment: str) -> str:
    """Run Python in a new process and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# A kernel in a file of its own, as users of the decorator have it.
MODULE = """
import os
import pickle
import numpy as np
from torchlinear.kernels import compiled

@compiled("float64(const float64[::1])")
def total(x):
    s = 0.0
    for i in range(x.size):
        s += x[i]
    return s

@compiled("float64(const float64[::1], float64)")
def scaled(x, factor):
    return factor * x[0]

if __name__ == "__main__":
    x = np.array([1.0, 2.0, 3.5])
    assert total(x) == 6.5
    print(sum(total._entry.stats.cache_hits.values()), sum(total._entry.stats.cache_misses.values()))
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.py"
    path.write_text(MODULE)
    return path


def test_importing_kernels_does_not_import_numba() -> None:
    names = "moments, triangle, doubledouble"
    assert (
        run(f"import sys; from torchlinear.kernels import {names}; print('numba' in sys.modules)") == "False"
    )


def test_a_signature_is_loaded_when_its_types_come(kernel: Kernel) -> None:
    assert kernel(X) == 14.0
    assert kernel._loaded == SIGNATURES[:1]
    assert kernel(X.astype(np.float32)) == 14.0
    assert kernel._loaded == SIGNATURES
    assert kernel(X) == kernel.function(X) == 14.0


def test_read_only_arrays_are_taken(kernel: Kernel) -> None:
    fixed = X.copy()
    fixed.flags.writeable = False
    assert kernel(fixed) == 14.0


@pytest.mark.parametrize(
    "wrong", [X.astype(np.int64), X[::2], X[None], 1.0], ids=["int", "strided", "2d", "float"]
)
def test_other_types_are_refused_not_compiled(kernel: Kernel, wrong: object) -> None:
    for _ in range(2):
        with pytest.raises(TypeError):
            kernel(wrong)
        kernel(X)
    assert kernel._loaded == SIGNATURES[:1]
    assert len(kernel._entry.signatures) == 1


@pytest.mark.parametrize("flags", [{"nnan"}, {"ninf", "reassoc"}, {"fast"}])
def test_flags_that_lose_nan_are_refused(flags: set[str]) -> None:
    with pytest.raises(ValueError, match="NaN or infinity"):
        compiled(*SIGNATURES, fastmath=flags)


def test_a_kernel_within_a_kernel_keeps_its_flags() -> None:
    """Sums that may be reordered are rounded in another way, each time that they are compiled."""
    ordered = compiled("float64(const float64[::1])")(_sum_of_squares)
    reordered = compiled("float64(const float64[::1])", fastmath={"reassoc"})(_sum_of_squares)
    outer_ordered = compiled("float64(const float64[::1])")(_outer(ordered))
    outer_reordered = compiled("float64(const float64[::1])")(_outer(reordered))
    x = np.random.default_rng().random(1_000_001)
    assert outer_ordered(x) == ordered(x) == ordered.function(x)
    assert outer_reordered(x) != ordered(x)
    assert outer_reordered(x) == pytest.approx(ordered(x), rel=1e-12)
    assert reordered(x) != ordered(x)


def _outer(inner: Kernel):
    scope = {"inner": inner}
    exec("def outer(x):\n    return inner(x)", scope)
    return scope["outer"]


def test_the_second_process_loads_from_the_cache(script: Path, tmp_path: Path) -> None:
    start = f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')"
    folder = str(tmp_path / "cache")
    assert run(start, NUMBA_CACHE_DIR=folder) == "0 1"
    assert run(start, NUMBA_CACHE_DIR=folder) == "1 0"


def test_a_read_only_install_stays_as_it_is(tmp_path: Path) -> None:
    """The cache goes to the user's folder, not beside the source (Numba's default, which raises there)."""
    package = tmp_path / "site" / "torchlinear"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(torchlinear.kernels.__file__).parent, package / "kernels", ignore=ignore)
    for name in ("__init__.py", "errors.py"):
        shutil.copy(Path(torchlinear.kernels.__file__).parents[1] / name, package)
    installed = sorted(package.rglob("*"))
    for path in installed:
        path.chmod(0o555 if path.is_dir() else 0o444)
    code = """
import numpy as np, torchlinear.kernels, torchlinear.kernels.triangle as t
from torchlinear.kernels import words
print(torchlinear.kernels.__file__)
assert t.qr(words.of(np.array([[3.0], [4.0]]))).high == 5
"""
    user = tmp_path / "user"
    environment = {
        "PYTHONPATH": str(tmp_path / "site"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NUMBA_CACHE_DIR": "",
    }
    home = {
        "XDG_CACHE_HOME": str(user),
        "HOME": str(user),
        "LOCALAPPDATA": str(user),
        "USERPROFILE": str(user),
    }
    assert run(code, **environment, **home).startswith(str(package))
    assert sorted(package.rglob("*")) == installed
    assert list(user.rglob("*.nbi"))


def test_no_folder_for_the_cache_is_one_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(cache, "_candidates", lambda: [tmp_path / "file" / "a", tmp_path / "file"])
    cache.folder.cache_clear()
    with pytest.warns(TorchlinearWarning, match="NUMBA_CACHE_DIR"):
        assert cache.folder() is None
    kernel = compiled(*SIGNATURES)(_sum_of_squares)  # asks again; a second warning would be an error
    assert kernel(X) == 14.0
    cache.folder.cache_clear()


def test_the_first_folder_that_can_be_written_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(cache.sys, "platform", "linux")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "asked"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    find = cache.folder.__wrapped__
    assert find().parent == tmp_path / "user" / "torchlinear"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "user"))
    private = find().parent
    assert private.parent == tmp_path
    assert private.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "asked"))
    assert find().parent == tmp_path / "asked"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has one folder of temporary files for each user")
def test_a_temporary_folder_that_others_can_write_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path))
    trap = tmp_path / f"torchlinear-{os.getuid()}"
    trap.mkdir()
    trap.chmod(0o777)
    assert cache._private() is None
    trap.rmdir()
    trap.symlink_to(tmp_path)
    assert cache._private() is None


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", [b"", b"rubbish"], ids=["empty", "rubbish"])
def test_a_damaged_cache_is_compiled_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, suffix: str, damage: bytes
) -> None:
    monkeypatch.setattr(torchlinear.kernels, "folder", lambda: tmp_path)
    assert compiled(*SIGNATURES)(_sum_of_squares)(X) == 14.0
    files = list(tmp_path.rglob(f"*{suffix}"))
    assert files
    for file in files:
        file.write_bytes(damage)
    assert compiled(*SIGNATURES)(_sum_of_squares)(X) == 14.0


def test_source_without_a_file_is_compiled() -> None:
    scope: dict = {}
    exec("def double(x):\n    return 2.0 * x", scope)
    assert compiled("float64(float64)")(scope["double"])(1.5) == 3.0


def test_without_the_compiler_kernels_are_plain_python(script: Path) -> None:
    code = f"""
import runpy, numpy as np
total = runpy.run_path({str(script)!r})["total"]
print(total(np.ones(3)), total._entry is total.function)
"""
    assert run(code, NUMBA_DISABLE_JIT="1") == "3.0 True"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_after_use_works(script: Path) -> None:
    """In the child, kernels already loaded run, and others load."""
    code = f"""
import os, runpy, signal, numpy as np
names = runpy.run_path({str(script)!r})
x = np.ones(1000)
assert names["total"](x) == 1000
child = os.fork()
if child == 0:
    signal.alarm(60)
    os._exit(0 if names["total"](x) == 1000 and names["scaled"](x, 3.0) == 3 else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), names["scaled"](x, 2.0))
"""
    assert run(code) == "0 2.0"


def test_threads_may_make_the_first_call_at_once() -> None:
    kernel = compiled(*SIGNATURES)(_sum_of_squares)
    barrier, results = threading.Barrier(8), []

    def call(x: np.ndarray) -> None:
        barrier.wait()
        results.append(kernel(x))

    threads = [threading.Thread(target=call, args=(X.astype(t),)) for t in (np.float32, np.float64) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [14.0] * 8


def test_threads_may_call_with_new_types_while_one_compiles_them() -> None:
    kernel = compiled(*SIGNATURES)(_sum_of_squares)
    assert kernel(X) == 14.0
    barrier, results = threading.Barrier(8), []

    def call() -> None:
        x = X.astype(np.float32)
        barrier.wait()
        results.append(kernel(x))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [14.0] * 8


def test_a_kernel_lets_other_threads_run(kernel: Kernel) -> None:
    x = np.ones(100_000_000, dtype=np.float32)
    kernel(x[:10])
    took = []

    def work() -> None:
        start = time.perf_counter()
        kernel(x)
        took.append(time.perf_counter() - start)

    thread = threading.Thread(target=work)
    longest, last = 0.0, time.perf_counter()
    thread.start()
    while thread.is_alive():
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    assert longest < 0.5 * took[0]


def test_a_kernel_is_pickled_by_name() -> None:
    kernel = torchlinear.kernels.moments._tiles
    assert pickle.loads(pickle.dumps(kernel)) is kernel
