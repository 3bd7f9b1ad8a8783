"""`torchlinear predict`: a saved model's predictions for the rows of a file, of any size, in order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

from torchlinear.commands import screen
from torchlinear.commands.common import Common, option
from torchlinear.commands.language import say
from torchlinear.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor

__all__ = ["predict"]

ENDINGS = (".csv", ".parquet")

Write = Callable[["pa.RecordBatch"], None]


def predict(
    model: Annotated[Path, option("predict.model")],
    data: Annotated[str, option("predict.data")],
    /,
    *,
    output: Annotated[Path | None, option("predict.output", "--output", "-o", metavar="FILE")] = None,
    common: Common = Common(),  # noqa: B008  (a frozen record)
) -> None:
    """Predict block by block; see the messages for what users read."""
    if output is not None and output.suffix.lower() not in ENDINGS:
        raise InvalidInput(say("predict.format", path=str(output), known=", ".join(ENDINGS)))
    if common.json and output is None:
        raise InvalidInput(say("predict.json"))

    import torchlinear as tl

    fitted = tl.load(model)
    names = _names(fitted.solution.targets)
    rows = blank = 0
    with screen.busy(say("predict.busy")), _writer(output, names) as write:
        for block in fitted.predict_blocks(data):
            rows += len(block)
            blank += int(block.isnan().any(dim=1).sum())
            write(_batch(block, names))
    where = None if output is None else str(output)
    if common.json:
        screen.emit({"rows": rows, "not_predicted": blank, "output": where})
    elif where is not None:
        screen.note(say("predict.written", rows=f"{rows:,}", path=where))
    if blank:
        screen.note(say("predict.blank", blank=f"{blank:,}", rows=f"{rows:,}"))


def _names(targets: tuple[str, ...]) -> list[str]:
    """Names of the columns of predictions."""
    return ["prediction"] if len(targets) == 1 else [f"prediction_{target}" for target in targets]


def _batch(block: Tensor, names: list[str]) -> pa.RecordBatch:
    import pyarrow as pa

    columns = block.double().cpu().numpy().T
    return pa.record_batch([pa.array(column.copy()) for column in columns], names=names)


@contextmanager
def _writer(output: Path | None, names: list[str]) -> Iterator[Write]:
    """What writes a batch to `output`, whole or not at all, or as CSV to standard output."""
    from torchlinear.commands import files

    if output is None:
        sys.stdout.flush()
        yield _csv(sys.stdout.buffer, names)
    else:
        with files.replacing(output) as file:
            if output.suffix.lower() == ".csv":
                yield _csv(file, names)
            else:
                with _parquet(file, names) as writer:
                    yield writer.write_batch


def _csv(file: IO[bytes], names: list[str]) -> Write:
    """Writes CSV: digits that read back the same, and NaN, because readers skip an empty line."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    def texts(column: Any) -> Any:
        return pc.if_else(pc.is_nan(column), "NaN", pc.cast(column, pa.string()))

    heading = [",".join(map(_quoted, names)) + "\n"]

    def write(batch: pa.RecordBatch) -> None:
        while heading:
            file.write(heading.pop().encode())
        table = pa.table([texts(column) for column in batch.columns], names=names)
        csv.write_csv(table, file, csv.WriteOptions(include_header=False, quoting_style="none"))

    return write


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if set(name) & set('",\n\r') else name


def _parquet(file: IO[bytes], names: list[str]) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    return parquet.ParquetWriter(file, pa.schema([(name, pa.float64()) for name in names]))
