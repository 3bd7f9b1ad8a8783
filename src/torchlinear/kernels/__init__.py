"""Compiled inner loops for the CPU: functions of arrays, and the one decorator that compiles them.

A kernel is compiled, or loaded from its cache on disk, at its first call and only for the signature called,
so importing a kernel costs nothing and does not import Numba. Kernels release the GIL and never start threads
(threads belong to the engines): they may run in several threads at once and before and after a `fork`.

>>> import numpy as np
>>> from torchlinear.kernels import compiled
>>> @compiled("float64(const float64[::1])")
... def total(x):
...     s = 0.0
...     for i in range(x.size):
...         s += x[i]
...     return s
>>> total(np.array([1.0, 2.0, 3.5]))
6.5
"""

import functools
import os
import re
import threading
import types
from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeVar

from torchlinear.kernels.cache import folder

__all__ = ["Kernel", "compiled", "inlined", "prefetch", "product_error"]

_F = TypeVar("_F", bound=Callable[..., Any])
_LOCK = threading.RLock()
if hasattr(
    os, "register_at_fork"
):  # nobody forks while a kernel is half compiled, so a child finds the lock free
    os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)

_inlined: set[Callable[..., Any]] = set()


def compiled(
    *signatures: str, fastmath: frozenset[str] | set[str] = frozenset()
) -> Callable[[Callable[..., Any]], "Kernel"]:
    """Mark a function of arrays and numbers to be compiled at its first call.

    Parameters
    ----------
    *signatures : str
        What the kernel takes, in Numba's notation: `"void(const float64[:, ::1], float64[::1], int64)"`;
        without a return type it is inferred. `const` before an array type says that the kernel only reads the
        array, and makes it accept read-only arrays too. Each signature is compiled when arguments of its
        types first come.
    fastmath : set of str
        LLVM flags that the kernel's own arithmetic may use, such as `{"reassoc", "contract"}` so that sums
        vectorise. Never `nnan` or `ninf`: NaN and infinity must reach the caller. They do not reach into the
        functions that the kernel calls: those marked `inlined` stay strict, kernels have their own.

    Returns
    -------
    decorator
        Turns the function into a `Kernel`. The plain function stays at `Kernel.function`.

    Raises
    ------
    ValueError
        Without a signature, or with `nnan`, `ninf` or `fast` among the flags.

    """
    if not signatures or {"nnan", "ninf", "fast"} & fastmath:
        raise ValueError(
            "compiled() takes at least one signature, and no flag that lets NaN or infinity vanish"
        )
    return lambda function: Kernel(function, signatures, fastmath)


def inlined(function: _F) -> _F:
    """Mark a small function for use inside kernels; for Python it stays the plain function that it is."""
    _inlined.add(function)
    return function


class Kernel:
    """A function that is compiled, or loaded from its cache, when it is first called.

    Parameters
    ----------
    function : callable
        The plain function; it stays available as `function`, the slow twin.
    signatures : tuple of str
        See `compiled`.
    fastmath : set of str
        See `compiled`.

    """

    def __init__(
        self, function: Callable[..., Any], signatures: tuple[str, ...], fastmath: frozenset[str] | set[str]
    ) -> None:
        self.function = function
        self.signatures = signatures
        self.fastmath = set(fastmath)
        self._loaded: tuple[str, ...] = ()
        self._entry: Any = self._start
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any) -> Any:
        """Call the compiled function; the first call with new types compiles it or loads it."""
        try:
            return self._entry(*args)
        # Raised before the kernel starts: its arguments fit no signature loaded yet, and maybe another thread is
        # compiling the one that they fit at this moment.
        except (TypeError, RuntimeError) as error:
            refused = error
        if not self._load_for(args):
            raise refused
        return self._entry(*args)

    def __reduce__(self) -> str:
        """Pickle by name, as functions are."""
        return self.function.__qualname__

    def _start(self, *_: Any) -> Any:
        raise TypeError(f"{self.function.__name__} takes {' or '.join(self.signatures)}")

    def _load_for(self, args: tuple[Any, ...]) -> bool:
        """Load the first signature that takes these arguments; False when none does."""
        numba = _numba()
        with _LOCK:
            if numba.config.DISABLE_JIT:
                self._entry = self.function
                return True
            given = [numba.typeof(a) for a in args]
            for signature in self.signatures:
                if _fits(signature, given):
                    self._load(signature)
                    return True
            return False

    def _load(self, signature: str) -> None:
        if signature in self._loaded:  # by another thread, a moment ago
            return
        try:
            entry = self._entry if self._loaded else self._dispatcher(cache=True)
            _compile(entry, signature)
        except Exception:
            # Source that Numba cannot find, a damaged cache file and a full disk end here, and so does a
            # mistake in the kernel, which the attempt without the cache raises again.
            entry = self._dispatcher(cache=False)
            for each in (*self._loaded, signature):
                _compile(entry, each)
        self._entry = entry
        self._loaded = (*self._loaded, signature)

    def _dispatcher(self, cache: bool) -> Any:
        numba = _numba()
        where = folder() if cache else None
        before = numba.config.CACHE_DIR
        try:
            if where is not None:  # Numba's key leaves the flags out
                numba.config.CACHE_DIR = str(where / "-".join(["kernels", *sorted(self.fastmath)]))
            return _jit(self.function, fastmath=self.fastmath, cache=where is not None)
        finally:
            numba.config.CACHE_DIR = before


def product_error(a: float, b: float, product: float) -> float:
    """Return a * b - product without rounding, for product = fl(a * b): the error of the rounded product.

    Inside kernels this is one fused multiply-add, or Dekker's algorithm where the processor has none
    (T. J. Dekker, "A floating-point technique for extending the available precision", 1971).
    """
    return float(Fraction(a) * Fraction(b) - Fraction(product))


def prefetch(matrix: Any, row: int, column: int) -> None:
    """Ask for the cache line of one element of a two-dimensional array ahead of its use; it changes nothing."""


def _numba() -> Any:
    import numba

    return numba


def _compile(dispatcher: Any, signature: str) -> None:
    """Compile or load one signature; calls with other types then raise instead of compiling silently."""
    dispatcher.disable_compile(False)
    try:
        dispatcher.compile(_readable(signature))
    finally:
        dispatcher.disable_compile()


def _fits(signature: str, given: list[Any]) -> bool:
    """Whether arguments of the Numba types `given` can be passed to `signature`."""
    from numba.core import sigutils
    from numba.core.registry import cpu_target

    wanted, _ = sigutils.normalize_signature(_readable(signature))
    context = cpu_target.typing_context
    return len(wanted) == len(given) and all(
        context.can_convert(have, want) is not None for have, want in zip(given, wanted, strict=True)
    )


def _readable(signature: str) -> str:
    """Write `const dtype[...]` as the constructor that Numba knows for a read-only array type."""

    def array(match: re.Match[str]) -> str:
        dtype, axes = match[1], match[2].replace(" ", "").split(",")
        layout = "C" if axes[-1] == "::1" else "F" if axes[0] == "::1" else "A"
        return f"Array({dtype}, {len(axes)}, '{layout}', readonly=True)"

    return re.sub(r"const (\w+)\[([^\]]*)\]", array, signature)


@functools.cache
def _inner(function: Callable[..., Any], fastmath: frozenset[str] = frozenset()) -> Any:
    """Compile for use inside kernels."""
    intrinsics = {product_error: _product_error, prefetch: _prefetch}
    return intrinsics[function]() if function in intrinsics else _jit(function, fastmath=set(fastmath))


def _jit(function: Callable[..., Any], **options: Any) -> Any:
    """Make Numba's dispatcher of a function, with the functions that it calls compiled too."""
    scope = dict(function.__globals__)
    for name in function.__code__.co_names:
        value = scope.get(name)
        if isinstance(value, Kernel):
            scope[name] = _inner(value.function, frozenset(value.fastmath))
        elif isinstance(value, types.FunctionType) and (
            value in _inlined or value in (product_error, prefetch)
        ):
            scope[name] = _inner(value)
    code, defaults, closure = function.__code__, function.__defaults__, function.__closure__
    twin = types.FunctionType(code, scope, function.__name__, defaults, closure)
    twin.__module__, twin.__qualname__ = function.__module__, function.__qualname__
    return _numba().njit(twin, nogil=True, error_model="numpy", **options)


def _product_error() -> Any:
    from numba import types as nb
    from numba.core.registry import cpu_target
    from numba.extending import intrinsic

    features = cpu_target.target_context.codegen().magic_tuple()[-1]
    if (
        "+fma" not in features.split(",")
        and "aarch64" not in cpu_target.target_context.codegen().magic_tuple()[0]
    ):
        return _jit(_dekker)

    @intrinsic
    def fused(_: Any, a: Any, b: Any, product: Any) -> Any:  # noqa: ARG001
        def emit(_: Any, builder: Any, __: Any, args: Any) -> Any:
            x, y, p = args
            return builder.fma(x, y, builder.fneg(p))

        return nb.float64(nb.float64, nb.float64, nb.float64), emit

    return fused


def _prefetch() -> Any:
    from llvmlite import ir
    from numba import types as nb
    from numba.core import cgutils
    from numba.extending import intrinsic

    @intrinsic
    def ahead(_: Any, matrix: Any, row: Any, column: Any) -> Any:  # noqa: ARG001
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, args[0])
            place = cgutils.get_item_pointer(
                context, builder, signature.args[0], array, [args[1], args[2]], wraparound=False
            )
            byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
            call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
            builder.call(call, [builder.bitcast(place, byte), word(0), word(3), word(1)])  # read, keep, data
            return context.get_dummy_value()

        return nb.void(matrix, nb.intp, nb.intp), emit

    return ahead


def _dekker(a: float, b: float, product: float) -> float:
    split = 134217729.0  # 2**27 + 1
    t = split * a
    a_hi = t - (t - a)
    a_lo = a - a_hi
    t = split * b
    b_hi = t - (t - b)
    b_lo = b - b_hi
    return ((a_hi * b_hi - product) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo
