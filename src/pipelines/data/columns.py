"""Give each column the type that the definition says; what does not fit becomes missing, and is counted."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Literal

from pipelines.config import ColumnType, PipelineConfig
from pipelines.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

HIDDEN = ("_row", "_nth", "_batch", "_seq", "_reason", "_quarantined_at")
EPOCHS: tuple[tuple[float, Literal["s", "ms", "us", "ns"]], ...] = (
    (1e17, "ns"),
    (1e14, "us"),
    (1e11, "ms"),
    (1e8, "s"),
)  # plausible instants are so large in these units


def coerce(frame: pd.DataFrame, config: PipelineConfig) -> pd.DataFrame:
    """Exactly the definition's columns, in its order, with dtypes that do not depend on the values.

    number float64, time datetime64[us] (naive; zoned times become UTC), category and text str with None for
    missing. `attrs["unparsed"]` counts, by column, the values that are no number or time and became missing.
    Raises DataError when a column is not there.
    """
    import pandas as pd

    check_present(list(frame.columns), config)
    unparsed: dict[str, int] = {}
    columns: dict[str, pd.Series[Any]] = {}
    for name in config.columns:
        values = frame[name].reset_index(drop=True)
        columns[name] = convert(values, type_of(name, config), config.data.format)
        lost = int((columns[name].isna() & values.notna()).sum())
        if lost:
            unparsed[name] = lost
    result = pd.DataFrame(columns, columns=pd.Index(list(config.columns), dtype=object))
    result.attrs["unparsed"] = unparsed
    return result


def type_of(name: str, config: PipelineConfig) -> ColumnType:
    """The column's type; the target is what the task needs: a number to regress on, else a category."""
    if name == config.data.target:
        return "number" if config.task == "regression" else "category"
    return "time" if name == config.data.timestamp else config.columns[name].type


def check_present(found: list[str], config: PipelineConfig) -> None:
    reserved = [name for name in config.columns if name in HIDDEN]
    if reserved:
        raise DataError(
            f"Columns {', '.join(reserved)}: these names are Evergreen's own.", "Rename them in the data."
        )
    absent = [name for name in config.columns if name not in found]
    if not absent:
        return
    what = [f"the target {name!r}" if name == config.data.target else repr(name) for name in absent]
    near = difflib.get_close_matches(absent[0], [str(name) for name in found], n=1)
    raise DataError(
        f"The data has no column {', no column '.join(what)}. Columns found: {', '.join(map(str, found))}.",
        (f"Did the data mean {near[0]!r}? " if near else "")
        + "Mend the data, or `columns` in pipeline.yaml.",
    )


def convert(values: pd.Series[Any], kind: ColumnType, fmt: Any) -> pd.Series[Any]:
    """One column in the stable dtype of its kind."""
    if kind == "number":
        return as_number(values, fmt.decimal)
    if kind == "time":
        return as_time(values, fmt.day_first)
    text = as_text(values)
    if kind == "category":  # 3067.0 is how a code is written once a neighbour is missing
        whole = text.str.fullmatch(r"[+-]?\d+\.0+", na=False).astype(bool)
        text = text.mask(whole, text.str.replace(r"\.0+$", "", regex=True))
    return none_for_missing(text)


def as_number(values: pd.Series[Any], decimal: str = ".") -> pd.Series[Any]:
    """float64, NaN where missing, not a number, or infinite."""
    import numpy as np
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(values.dtype):
        values = as_text(values)
        if decimal != ".":
            values = values.str.replace(decimal, ".", regex=False)
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    return numbers.where(np.isfinite(numbers)) + 0.0  # + 0.0: one zero, not two with different hashes


def as_time(values: pd.Series[Any], day_first: bool) -> pd.Series[Any]:
    """datetime64[us], naive; zoned times in UTC; large numbers read as seconds (ms, us, ns) since 1970."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        zoned = getattr(values.dtype, "tz", None) is not None
        naive = values.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else values
        return naive.astype("datetime64[us]")
    text = as_text(values)
    # Dates repeat: each spelling is parsed once.
    spellings = pd.Series(text.dropna().unique(), dtype=object)
    parsed = parse_times(spellings, day_first)
    return text.map(dict(zip(spellings, parsed, strict=True))).astype("datetime64[us]")


def parse_times(spellings: pd.Series[Any], day_first: bool) -> pd.Series[Any]:
    """Naive UTC instants, NaT where there is none. ISO first, for `day_first` never touches it."""
    import pandas as pd

    number = spellings.str.fullmatch(r"\d{9,19}(\.\d+)?")
    numeric = pd.to_numeric(spellings.where(number), errors="coerce")
    parsed = pd.to_datetime(spellings.mask(number), format="ISO8601", utc=True, errors="coerce")
    rest = spellings[parsed.isna() & ~number]
    if len(rest):
        parsed[rest.index] = pd.to_datetime(
            rest, format="mixed", dayfirst=day_first, utc=True, errors="coerce"
        )
    for least, unit in reversed(EPOCHS):
        reached = numeric >= least
        parsed[reached] = pd.to_datetime(numeric[reached], unit=unit, utc=True, errors="coerce")
    return parsed.dt.tz_localize(None)


def as_text(values: pd.Series[Any]) -> pd.Series[Any]:
    """Object dtype: str, or None where missing; whole numbers without a fraction."""
    import pandas as pd

    if pd.api.types.is_float_dtype(values.dtype):
        return none_for_missing(
            values.map(lambda v: str(int(v)) if float(v).is_integer() else str(v)), values
        )
    if isinstance(values.dtype, pd.CategoricalDtype):
        return as_text(values.astype(values.cat.categories.dtype))
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return none_for_missing(values.map(lambda v: v.isoformat() if v is not pd.NaT else v), values)
    text = values.astype(object)
    if pd.api.types.infer_dtype(text, skipna=True) not in {"string", "empty"}:
        text = text.where(text.isna(), text.map(str)).str.strip()
    return none_for_missing(text, values)


def none_for_missing(text: pd.Series[Any], origin: pd.Series[Any] | None = None) -> pd.Series[Any]:
    missing = (text if origin is None else origin).isna()
    result = text.astype(object)
    result[missing] = None
    return result
