"""Which test rows the champion has learnt from: a judgment on those would be none.

Split by time, rows that come in late move the test part back into what it learnt; another split, or other
columns, move rows at random from side to side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from pipelines.config import PipelineConfig
from pipelines.errors import DataError
from pipelines.partition import Partition, partition_snapshot
from pipelines.progress import log
from pipelines.records import Champion

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEARNT = ("train", "validation")  # the validation part chose what was learnt


def find_learnt(rows: Partition, config: PipelineConfig, champion: Champion) -> NDArray[np.bool_]:
    """Of each test row whether the champion learnt from it, (rows,).

    A row is known by its values in the columns that both tables have, since a changed definition numbers all
    rows anew. Where the champion's rows are gone or unknown none is, and the log says so.
    """
    import numpy as np

    none = np.zeros(rows.count("test"), dtype=np.bool_)
    before = champion_partition(config, champion)
    if before is None or all_later(rows, before, config):
        return none
    names = shared_columns(rows, before)
    if not names:
        say_unknown(champion, "no column is of the same name and type as then")
        return none
    return np.isin(hash_rows(rows, names, "test"), hash_rows(before, names, *LEARNT))


def champion_partition(config: PipelineConfig, champion: Champion) -> Partition | None:
    """The champion's own rows in its own parts; by the definition of now where its own cannot be read."""
    if champion.snapshot is None:
        say_unknown(champion, "its snapshot is not known")
        return None
    try:
        made_by = PipelineConfig.model_validate(champion.definition)
    except ValidationError:
        made_by = config
    try:
        return partition_snapshot(champion.snapshot, made_by)
    except (DataError, KeyError) as error:
        say_unknown(champion, error)
        return None


def say_unknown(champion: Champion, why: object) -> None:
    log.warning("Version %s may have learnt from test rows: %s", champion.version, why)


def all_later(rows: Partition, before: Partition, config: PipelineConfig) -> bool:
    """Whether every test row is of a later time than all that was learnt: no need to look at them."""
    time = config.data.timestamp
    if time is None or time not in next(before.read(None)):
        return False
    test, learnt = (
        part.table(*names, columns=[time])[time] for part, names in ((rows, ("test",)), (before, LEARNT))
    )
    return bool(test.min() > learnt.max())


def shared_columns(rows: Partition, before: Partition) -> list[str]:
    """The columns that both tables have, of the same type."""
    now, then = next(rows.read(None)).dtypes, next(before.read(None)).dtypes
    return [name for name in now.index.intersection(then.index) if now[name] == then[name]]


def hash_rows(rows: Partition, names: list[str], *parts: str) -> NDArray[np.uint64]:
    """A number for the content of each row of the parts, piece by piece."""
    import numpy as np
    import pandas as pd

    pieces = rows.pieces(*parts, columns=names)
    return np.concatenate([pd.util.hash_pandas_object(p[names], index=False).to_numpy() for p in pieces])
