"""Take in each row once: what the pipeline holds already is known, what is new becomes a staged batch.

A row is its content: a 64-bit hash of its coerced values, and which of its equals it is (0, 1, 2, ..). A
source file that has grown adds its new rows, the same file twice adds nothing, and true duplicates stay.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.config import PipelineConfig
from pipelines.data.columns import HIDDEN, coerce, type_of
from pipelines.data.sources import find_files, read_table
from pipelines.data.tables import open_table, read_columns
from pipelines.errors import DataError
from pipelines.home import Home, PipelineFolder
from pipelines.records import Batch

if TYPE_CHECKING:
    import pandas as pd


def stage_batch(config: PipelineConfig, home: Home, extra: list[str] | None = None) -> Batch:
    """Read the source (and `extra`, this once) and stage the rows that the pipeline does not hold yet.

    When the definition's columns changed, all rows are staged again in the new form, with those that only the
    pipeline still holds. Raises DataError for what cannot be read.
    """
    files = find_files(config.data.source, config.folder)
    files += [file for file in find_files(extra, Path.cwd()) if file not in files] if extra else []
    frame = read_all(files, config)
    folder = home.pipeline(config.pipeline)
    schema = arrow_schema(config)
    if has_changed(folder, schema):
        frame, known = with_kept_rows(frame, folder, config), 0
        version = str(open_table(folder.rows).version())  # type: ignore[union-attr]
    else:
        fresh = drop_known(frame, known_counts(folder))
        frame, known, version = fresh, len(frame) - len(fresh), ""
    return write_batch(frame, known, files, config, folder, f"{schema}{version}")


def read_all(files: list[Path], config: PipelineConfig) -> pd.DataFrame:
    """All files' rows as the definition wants them, with `_row` and `_nth`."""
    import pandas as pd

    frames = []
    for file in files:
        try:
            frames.append(coerce(read_table(file, config.data.format), config))
        except DataError as error:
            named = error.message if str(file) in error.message else f"{file}: {error.message}"
            raise DataError(named, error.hint) from error
    return identify(pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0])


def identify(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with `_row`, the hash of its other columns, and `_nth` among equal rows."""
    hashes = row_hashes(frame)
    return frame.assign(_row=hashes, _nth=hashes.groupby(hashes, sort=False).cumcount().astype("int64"))


def row_hashes(frame: pd.DataFrame) -> pd.Series[Any]:
    """An int64 per row from its values alone: the same on every run and machine."""
    import pandas as pd

    hashes = pd.util.hash_pandas_object(frame, index=False)
    return pd.Series(hashes.to_numpy().view("int64"), index=frame.index)


def known_counts(folder: PipelineFolder) -> pd.Series[Any]:
    """How often the pipeline holds each row, accepted or quarantined; indexed by hash."""
    import pandas as pd

    held = [read_columns(path, ["_row"]) for path in (folder.rows, folder.quarantine)]
    rows = [table["_row"].to_pandas() for table in held if table is not None]
    joined = pd.concat(rows) if rows else pd.Series(dtype="int64")
    return joined.value_counts(sort=False)


def drop_known(frame: pd.DataFrame, known: pd.Series[Any]) -> pd.DataFrame:
    """Rows beyond the number of their equals that is known already."""
    held = frame["_row"].map(known).fillna(0).astype("int64")
    return frame[frame["_nth"] >= held].reset_index(drop=True)


def write_batch(
    frame: pd.DataFrame,
    known: int,
    files: list[Path],
    config: PipelineConfig,
    folder: PipelineFolder,
    salt: str,
) -> Batch:
    """The staged batch, written whole or not at all."""
    import pyarrow as pa
    from pyarrow import parquet

    digest = hashlib.sha256(salt.encode())
    digest.update(frame[["_row", "_nth"]].sort_values(["_row", "_nth"]).to_numpy().tobytes())
    batch_id = digest.hexdigest()[:16]
    path = folder.incoming / batch_id / "batch.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = arrow_schema(config).append(pa.field("_row", pa.int64())).append(pa.field("_nth", pa.int64()))
    waiting = path.with_name(f".batch.{os.getpid()}.tmp")
    parquet.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False), waiting)
    waiting.replace(path)
    return Batch(
        pipeline=config.pipeline,
        id=batch_id,
        path=str(path),
        rows=len(frame),
        known=known,
        sources=[str(file) for file in files],
    )


# ------------------------------------------------------------------------------- when the definition changed


def arrow_schema(config: PipelineConfig) -> Any:
    """The definition's columns as they are stored."""
    import pyarrow as pa

    types = {"number": pa.float64(), "time": pa.timestamp("us"), "category": pa.string(), "text": pa.string()}
    return pa.schema([(name, types[type_of(name, config)]) for name in config.columns])


def user_schema(schema: Any) -> dict[str, str]:
    """A stored table's columns without the hidden ones, by name."""
    return {field.name: str(field.type) for field in schema if field.name not in HIDDEN}


def has_changed(folder: PipelineFolder, schema: Any) -> bool:
    """Whether the pipeline's rows are stored with other columns or types than the definition has now."""
    table = open_table(folder.rows)
    return table is not None and user_schema(table.to_pyarrow_dataset().schema) != user_schema(schema)


def with_kept_rows(frame: pd.DataFrame, folder: PipelineFolder, config: PipelineConfig) -> pd.DataFrame:
    """The source's rows and, below, those that the pipeline holds and the source has no longer.

    Both are matched on the columns that kept their type; columns new to the definition are empty in old rows.
    """
    import pandas as pd

    tables = [table for path in (folder.rows, folder.quarantine) if (table := open_table(path)) is not None]
    held = [table.to_pyarrow_dataset() for table in tables]
    schemas = [user_schema(dataset.schema) for dataset in held]
    now = user_schema(arrow_schema(config))
    shared = [name for name in now if all(schema.get(name) == now[name] for schema in schemas)]
    if not shared:
        return frame
    stored = [
        data.to_table(columns=list(schema)).to_pandas() for data, schema in zip(held, schemas, strict=True)
    ]
    old = coerce(pd.concat(stored, ignore_index=True).reindex(columns=list(now)), config)
    marks = identify(old[shared])
    there = marks["_row"].map(row_hashes(frame[shared]).value_counts(sort=False)).fillna(0)
    return identify(pd.concat([frame[list(now)], old[marks["_nth"] >= there]], ignore_index=True))
