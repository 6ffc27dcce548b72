"""Delta tables as sources: the newest version, in batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipelines.config import Format
from pipelines.data.sources.columnar import TypedReading
from pipelines.data.sources.source import Source, plain_reason
from pipelines.data.storage.tables import dataset_of
from pipelines.environment import variable
from pipelines.errors import DataError
from pipelines.hiding import hide_secrets


def delta_table_source(address: str) -> Source:
    """The newest version of the table at a path or address."""
    place = Source(hide_secrets(address), "", None, "delta", address)
    table = open_delta(place, None)
    return Source(place.uri, f"{table.metadata().id}-{table.version()}", None, "delta", address)


def open_delta(source: Source, version: int | None) -> Any:
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    plain = (variable("AWS_ENDPOINT_URL") or "").startswith("http://")  # a store of one's own, without TLS
    try:
        return DeltaTable(source.address, version, {"allow_http": "true"} if plain else None)
    except (DeltaError, OSError, ValueError) as error:
        raise DataError(
            f"{source.name} is not a whole Delta table: {plain_reason(error, source)}.",
            "Check its _delta_log folder.",
        ) from error


class DeltaReading(TypedReading):
    """The version that was found, whatever was written since."""

    what = "Delta table"

    def __init__(self, source: Source, fmt: Format) -> None:
        version = int(source.stamp.rpartition("-")[2])
        table = open_delta(source, version)
        try:
            self.dataset = dataset_of(table)
        except Exception as error:  # deletion vectors, column mapping: the reader's own words are best
            raise DataError(
                f"{source.name} is a Delta table that cannot be read here: {plain_reason(error, source)}.",
                "Rewrite the table without that feature (REORG, OPTIMIZE), or export it as Parquet.",
            ) from error
        super().__init__(source, fmt, self.dataset.schema)
        self.found = {"format": "Delta", "version": str(version)}

    def batches(self) -> Iterator[Any]:
        return self.dataset.to_batches(batch_size=1 << 17)  # type: ignore[no-any-return]
