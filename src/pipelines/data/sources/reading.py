"""What every format's reader promises, and what they share: bounded chunks, names, blanks, missing marks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pipelines.config import Format
from pipelines.data.sources.source import STILL_WRITTEN, Source, local_source
from pipelines.errors import DataError
from pipelines.markdown import make_visible

if TYPE_CHECKING:
    import pyarrow as pa

MISSING = (
    *("", "NA", "N/A", "n/a", "NaN", "nan", "-nan", "-NaN", "NULL", "null", "None", "<NA>", "#N/A", "#NA"),
    *("#N/A N/A", "1.#IND", "1.#QNAN", "-1.#IND", "-1.#QNAN"),
)
ROWS_MOST = 1_000_000
CELLS_MOST = 20_000_000
BYTES_MOST = 256 << 20
NAMES_MOST = 20_000  # columns of a source
NAME_LONGEST = 1000  # characters


class Reading(ABC):
    """An open source: its column names, its Arrow types where it has any, and what was found of its form."""

    names: list[str]
    types: pa.Schema | None = None
    found: dict[str, str]

    def __init__(self, source: Source, fmt: Format) -> None:
        self.source = source
        self.fmt = fmt
        self.found = {}

    def tables(self, numbers: frozenset[str] = frozenset(), rows: int = ROWS_MOST) -> Iterator[pa.Table]:
        """The rows in their order, in chunks of at most `rows`; can be asked for once.

        Cells without a type are strings without blanks around, null where a missing mark stands. A column of
        `numbers` may come as float64 where all its cells in the chunk are plain finite numbers.
        Raises DataError for the first thing that cannot be read, and when the source changes meanwhile.
        """
        try:
            yield from gather(self.chunks(numbers), max(1, min(rows, CELLS_MOST // max(len(self.names), 1))))
        except DataError:
            self.check_unchanged()
            raise
        self.check_unchanged()

    @abstractmethod
    def chunks(self, numbers: frozenset[str]) -> Iterator[pa.Table]:
        """Tables of any size that is bounded."""

    def close(self) -> None:  # noqa: B027 - most formats have nothing to close
        """Give back files and connections."""

    def check_unchanged(self) -> None:
        """Raises DataError when the source is not what it was when it was found."""
        if self.source.stamp and self.now().stamp != self.source.stamp:
            raise DataError(
                f"{self.source.name} is still being written: it changed while it was read.", STILL_WRITTEN
            )

    def now(self) -> Source:
        if self.source.kind == "remote":
            from pipelines.data.sources.remote import remote_source

            return remote_source(self.source.address)
        return local_source(Path(self.source.address)) if self.source.kind == "file" else self.source

    def __enter__(self) -> Reading:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def gather(tables: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The same rows in chunks as large as is allowed, so that few small ones are handed on."""
    import pyarrow as pa

    held: list[pa.Table] = []
    for table in tables:
        for start in range(0, table.num_rows, rows):
            piece = table.slice(start, rows)
            if held and not fits(held, piece, rows):
                yield pa.concat_tables(held)
                held = []
            held.append(piece)
    if held:
        yield pa.concat_tables(held)


def fits(held: list[pa.Table], piece: pa.Table, rows: int) -> bool:
    """Whether a piece may join those held: the same types, and not too much in all."""
    return bool(
        held[-1].schema.equals(piece.schema)
        and sum(table.num_rows for table in held) + piece.num_rows <= rows
        and sum(table.nbytes for table in held) + piece.nbytes <= BYTES_MOST
    )


def missing_marks(fmt: Format) -> list[str]:
    """The spellings of a missing value, without blanks around."""
    return list(dict.fromkeys([*MISSING, *(mark.strip() for mark in fmt.missing)]))


def tidy_text(column: Any, marks: list[str]) -> Any:
    """A string column without blanks around its values, null where a mark stands."""
    import pyarrow as pa
    import pyarrow.compute as pc

    bare = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.is_in(bare, value_set=pa.array(marks, bare.type)), pa.scalar(None, bare.type), bare)


def check_names(names: list[str], source: Source) -> None:
    """Raises DataError where a table has no columns, two of one name, or what can be no names of columns."""
    long = next((name for name in names if len(name) > NAME_LONGEST), None)
    if long is not None or len(names) > NAMES_MOST:
        found = f"{len(names):,} columns" if long is None else f"a column name of {len(long):,} characters"
        start = make_visible((names[0] if long is None else long)[:40])
        raise DataError(
            f"{source.name} has {found}, beginning with {start!r}; the most is"
            f" {f'{NAMES_MOST:,}' if long is None else f'{NAME_LONGEST:,}'}.",
            "Expected column names in the first line: check it, format.delimiter and format.quote.",
        )
    twice = [make_visible(name) for name, times in Counter(names).items() if times > 1]
    if twice:
        raise DataError(
            f"{source.name} has columns named twice: {', '.join(twice[:10])}.",
            "Give each column a name of its own.",
        )
    if not names:
        raise DataError(f"{source.name} has no columns.", "Expected column names and rows below them.")
