"""`torchlinear predict`: a saved model's predictions for the rows of a file, of any size, in order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

from torchlinear.commands import screen
from torchlinear.commands.common import Common, option
from torchlinear.commands.language import say
from torchlinear.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor

    from torchlinear.responses import Kind
    from torchlinear.solution import Solution

__all__ = ["predict"]

ENDINGS = (".csv", ".parquet")

Write = Callable[["pa.RecordBatch"], None]


def predict(
    model: Annotated[Path, option("predict.model")],
    data: Annotated[str, option("predict.data")],
    /,
    *,
    output: Annotated[Path | None, option("predict.output", "--output", "-o", metavar="FILE")] = None,
    proba: Annotated[bool, option("predict.proba")] = False,
    common: Common = Common(),  # noqa: B008  (a frozen record)
) -> None:
    """Predict block by block; see the messages for what users read."""
    if output is not None and output.suffix.lower() not in ENDINGS:
        raise InvalidInput(say("predict.format", path=str(output), known=", ".join(ENDINGS)))
    if common.json and output is None:
        raise InvalidInput(say("predict.json"))

    import torchlinear as tl

    fitted = tl.load(model)
    if proba and fitted.classes is None:
        raise InvalidInput(say("predict.no_classes", path=str(model), loss=fitted.solution.loss))
    columns = _Columns.of(fitted.solution, proba)
    kind: Kind | None = "proba" if proba else None
    rows = blank = 0
    with screen.busy(say("predict.busy")), _writer(output, columns.schema) as write:
        for block in fitted.predict_blocks(data, kind=kind):
            rows += len(block)
            blank += int(block.isnan().any(dim=1).sum())
            write(columns.batch(block))
    where = None if output is None else str(output)
    if common.json:
        screen.emit({"rows": rows, "not_predicted": blank, "output": where})
    elif where is not None:
        screen.note(say("predict.written", rows=f"{rows:,}", path=where))
    if blank:
        screen.note(say("predict.blank", blank=f"{blank:,}", rows=f"{rows:,}"))


@dataclass(frozen=True, slots=True)
class _Columns:
    """The columns of predictions: a label and probabilities, or numbers."""

    names: list[str]
    classes: pa.Array | None
    proba: bool

    @classmethod
    def of(cls, solution: Solution, proba: bool) -> _Columns:
        import pyarrow as pa

        if solution.classes is None:
            targets = solution.targets
            single = len(targets) == 1
            return cls(["prediction"] if single else [f"prediction_{name}" for name in targets], None, False)
        more = [f"probability_{label}" for label in solution.classes] if proba else []
        return cls(["prediction", *more], pa.array(solution.classes), proba)

    @property
    def schema(self) -> pa.Schema:
        import pyarrow as pa

        types = [pa.float64()] * len(self.names)
        if self.classes is not None:
            types[0] = self.classes.type
        return pa.schema(list(zip(self.names, types)))

    def batch(self, block: Tensor) -> pa.RecordBatch:
        """A block of predictions; a label that is not known is null."""
        import pyarrow as pa

        from torchlinear.responses import codes_of

        numbers = [pa.array(column.copy()) for column in block.double().cpu().numpy().T]
        if self.classes is None:
            return pa.record_batch(numbers, schema=self.schema)
        codes = block
        if self.proba:
            codes = codes_of(block[:, 1:] if block.shape[1] == 2 else block)
        place = pa.array(codes[:, 0].cpu().numpy(), from_pandas=True).cast(pa.int32())
        return pa.record_batch(
            [self.classes.take(place), *(numbers if self.proba else [])], schema=self.schema
        )


@contextmanager
def _writer(output: Path | None, schema: pa.Schema) -> Iterator[Write]:
    """What writes a batch to `output`, whole or not at all, or as CSV to standard output."""
    from torchlinear.commands import files

    if output is None:
        sys.stdout.flush()
        yield _csv(sys.stdout.buffer, schema.names)
    else:
        with files.replacing(output) as file:
            if output.suffix.lower() == ".csv":
                yield _csv(file, schema.names)
            else:
                from pyarrow import parquet

                with parquet.ParquetWriter(file, schema) as writer:
                    yield writer.write_batch


def _csv(file: IO[bytes], names: list[str]) -> Write:
    """Writes CSV: digits that read back the same, and NaN, because readers skip an empty line."""
    import pyarrow.compute as pc

    heading = [",".join(map(_quoted, names)) + "\n"]

    def write(batch: pa.RecordBatch) -> None:
        while heading:
            file.write(heading.pop().encode())
        if batch.num_rows:
            lines = pc.binary_join_element_wise(*map(_texts, batch.columns), ",")
            file.write(("\n".join(lines.to_pylist()) + "\n").encode())

    return write


def _texts(column: pa.Array) -> pa.Array:
    """A column as it stands in a CSV; a text is quoted where it has to be."""
    import pyarrow as pa
    import pyarrow.compute as pc

    written = pc.cast(column, pa.string())
    if pa.types.is_string(column.type):
        quoted = pc.binary_join_element_wise('"', pc.replace_substring(column, '"', '""'), '"', "")
        written = pc.if_else(pc.match_substring_regex(column, '[",\\n\\r]|^$|^NaN$'), quoted, column)
    elif pa.types.is_floating(column.type):
        written = pc.if_else(pc.is_nan(column), "NaN", written)
    return pc.fill_null(written, "NaN")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if set(name) & set('",\n\r') else name
