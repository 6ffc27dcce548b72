"""An Arrow table, as a source gave it, in the types of the definition; each cell that does not fit is named.

`columns.convert` says what a value means. Here whole columns take a short way where it gives the same, and
the long way goes over each spelling once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipelines.config import ColumnType, PipelineConfig
from pipelines.data.columns import beyond_exact, convert, type_of

if TYPE_CHECKING:
    from pipelines.config import Format

FORMS: tuple[tuple[str, ColumnType, str], ...] = (  # how cells are written that another format would read
    (r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", "number", "thousands: ','"),
    (r"[+-]?\d{1,3}(\.\d{3})+,\d*", "number", "decimal: ',' and format.thousands: '.'"),
    (r"[+-]?\d*,\d+", "number", "decimal: ','"),
    (r"\d{1,2}[/.-]\d{1,2}[/.-]\d.*", "time", "day_first"),
)
TOO_LARGE = "a number of at most 2^53 in size, or type: category"  # or all its digits would not be kept


def stored_schema(config: PipelineConfig) -> Any:
    """The definition's columns as they are stored."""
    import pyarrow as pa

    return pa.schema([(name, stored_type(type_of(name, config))) for name in config.columns])


def stored_type(kind: ColumnType) -> Any:
    import pyarrow as pa

    return {"number": pa.float64(), "time": pa.timestamp("us")}.get(kind, pa.string())


def problem_schema() -> Any:
    import pyarrow as pa

    words = [(name, pa.string()) for name in ("rule", "column", "found", "expected")]
    return pa.schema([("row", pa.int64()), *words])


def convert_table(table: Any, config: PipelineConfig) -> tuple[Any, Any]:
    """The definition's columns, in its order and types, and the problems met.

    `table` has the definition's names; a column that is not there is empty. Numbers are float64, times
    timestamp[us] (naive, zoned ones in UTC), categories and text strings; missing is null. A problem has
    `row` (from 0), `rule`, `column`, `found` (as written, whole) and `expected`; its cell is null.
    """
    import pyarrow as pa

    schema = stored_schema(config)
    # Arrow seeks a name among all of them, each time.
    found = dict(zip(table.column_names, table.columns, strict=True))
    columns, problems = [], [problem_schema().empty_table()]
    for field in schema:
        if field.name not in found:
            columns.append(pa.nulls(table.num_rows, field.type))
            continue
        given = flatten(found[field.name])
        kind = type_of(field.name, config)
        values = convert_array(given, kind, config.data.format)
        columns.append(values)
        if values.null_count > given.null_count:
            problems.append(name_problems(given, values, field.name, kind, config.data.format))
    return pa.table(columns, schema=schema), pa.concat_tables(problems)


def flatten(column: Any) -> Any:
    """One array, without dictionaries, NaN as null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # more text than one array of 32-bit offsets can hold
        array = pa.concat_arrays([chunk.cast(pa.large_string()) for chunk in array.chunks])
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_floating(array.type) and pc.any(nan := pc.is_nan(array)).as_py():
        array = pc.if_else(nan, None, array)
    return array


def convert_array(array: Any, kind: ColumnType, fmt: Format) -> Any:
    """An Arrow array in the stored type of its kind, null where a value does not fit."""
    short = {"number": short_number, "time": short_time}.get(kind, short_text)
    done = short(array, kind, fmt)
    return by_spelling(array, kind, fmt) if done is None else done


def short_number(array: Any, _kind: ColumnType, fmt: Format) -> Any | None:
    """Numbers, or text all of which Arrow reads as finite numbers; else None."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
    if texts and (fmt.decimal != "." or fmt.thousands):
        return None
    if not (texts or is_numeric(array.type)):
        return None
    try:
        numbers = array.cast(pa.float64()) if texts else pc.cast(array, pa.float64(), safe=False)
    except pa.ArrowInvalid:
        return None
    if not pa.types.is_floating(array.type) and beyond_exact(numbers):
        return None
    finite = pc.is_finite(numbers)
    if not pc.all(finite).as_py():  # null, or nothing there, counts as true
        if texts:
            return None
        numbers = pc.if_else(finite, numbers, None)
    return pc.add(numbers, 0.0)  # one zero: -0.0 would have another fingerprint


def is_numeric(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def short_time(array: Any, _kind: ColumnType, _fmt: Format) -> Any | None:
    """Times and days, or text all of which is ISO 8601 without a zone; else None."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        wanted = pa.timestamp("us", tz=getattr(array.type, "tz", None))
        times = pc.cast(array, wanted, safe=False)
        return times.cast(pa.timestamp("us", tz="UTC")).cast(pa.timestamp("us")) if wanted.tz else times
    if not pa.types.is_string(array.type) or (len(array) and pc.min(pc.utf8_length(array)).as_py() == 0):
        return None
    try:
        return array.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return None


def short_text(array: Any, kind: ColumnType, _fmt: Format) -> Any | None:
    """Text as it is, whole numbers as their digits; None where a spelling has to be looked at."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_integer(array.type):
        return array.cast(pa.string())
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        return None
    if kind == "category" and pc.any(pc.match_substring(array, ".0")).as_py():
        return None
    return array.cast(pa.string())


def by_spelling(array: Any, kind: ColumnType, fmt: Format) -> Any:
    """Convert each different value once, by `columns.convert`."""
    import pyarrow as pa

    coded = array.dictionary_encode()
    spellings = coded.dictionary.to_pandas()
    if pa.types.is_time(array.type) or pa.types.is_duration(array.type):
        spellings = spellings.astype(str)
    meant = convert(spellings, kind, fmt)
    return pa.Array.from_pandas(meant, type=stored_type(kind)).take(coded.indices)


def name_problems(given: Any, values: Any, column: str, kind: ColumnType, fmt: Format) -> Any:
    """The cells that were there and are not any more."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = pc.indices_nonzero(pc.and_(pc.is_valid(given), pc.is_null(values))).cast(pa.int64())
    found = given.take(rows).cast(pa.string())
    return pa.table(
        [
            rows,
            pa.repeat("value_is_readable", len(rows)),
            pa.repeat(column, len(rows)),
            found,
            expected(found, kind, fmt),
        ],
        schema=problem_schema(),
    )


def expected(found: Any, kind: ColumnType, fmt: Format) -> Any:
    """What was expected in the place of each unread cell; digits alone are a number too large to keep."""
    import pyarrow as pa
    import pyarrow.compute as pc

    usual = ("a finite number" if kind == "number" else f"a {kind}") + hint_at_form(found, kind)
    if kind != "number":
        return pa.repeat(usual, len(found))
    bare = pc.replace_substring(found, fmt.thousands, "") if fmt.thousands else found
    large = pc.match_substring_regex(bare, rf"^\s*[+-]?\d{{16,}}({re.escape(fmt.decimal)}0*)?\s*$")
    return pc.if_else(large, TOO_LARGE, usual)


def hint_at_form(found: Any, kind: ColumnType) -> str:
    """Which line of the definition may read these cells, by the first of them."""
    texts = found.slice(0, 100).to_pylist()
    for pattern, of, line in FORMS:
        if kind == of and all(re.fullmatch(pattern, text) for text in texts):
            return f"; is it format.{line}?"
    return ""
