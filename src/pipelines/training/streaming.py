"""Rows that are streamed by Ray Data, from the snapshot's files through the features to Ray Train's workers.

What travels to the tasks that read is where rows lie; what comes back are blocks of float32, which Ray keeps
in shared memory, and on the disk of the node where there are more than the workers take.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.data.storage.pieces import PieceReader
from pipelines.environment import silence_telemetry
from pipelines.models.bundle import Description, load_features
from pipelines.training.arrays import (
    DESCRIPTION,
    PIECES,
    encode_target,
    read_plan,
    transform,
)
from pipelines.training.folder import AttemptFolder
from pipelines.training.job import FitJob
from pipelines.training.usage import Meter

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

BLOCK = 250_000  # rows of the snapshot that a task reads, or one row group where that has more


def make_dataset(job: FitJob) -> Any:
    """The rows to learn from as a Ray Dataset of `x`, `y` and, where they differ, `weight`.

    Nothing is read yet. Each epoch reads all anew, in another order of blocks, by seed and number of the
    execution; in which order blocks arrive Ray Data does not promise.
    """
    import pyarrow as pa
    import ray.data
    from pyarrow import parquet

    # A bar that redraws itself is nothing for a log.
    ray.data.DataContext.get_current().enable_progress_bars = False
    pieces = parquet.read_table(job.arrays / PIECES)
    block_of = pieces["start"].to_numpy() // BLOCK
    blocks = [pieces.filter(pa.array(block_of == number)) for number in sorted(set(block_of.tolist()))]
    order = ray.data.RandomSeedConfig(seed=job.training.seed, reseed_after_execution=True)
    return (
        ray.data.from_arrow(blocks)
        .randomize_block_order(seed=order)
        .map_batches(
            read_metered,
            batch_size=None,
            batch_format="pyarrow",
            fn_kwargs={"folder": job.arrays, "root": job.root},
            num_cpus=1,
        )
    )


def read_metered(pieces: pa.Table, folder: Path, root: Path) -> Iterator[dict[str, NDArray[Any]]]:
    """`read_block` in a task of its own, whose use counts."""
    silence_telemetry()
    with Meter(AttemptFolder(root), "reader"):
        yield from read_block(pieces, folder)


def read_block(pieces: pa.Table, folder: Path) -> Iterator[dict[str, NDArray[Any]]]:
    """The rows of some pieces that are learnt from, as the network reads them."""
    import numpy as np

    plan, step = read_plan(folder), load_features(folder)
    description = Description.model_validate_json((folder / DESCRIPTION).read_bytes())
    columns = list(dict.fromkeys([*description.types, description.target]))
    reader = PieceReader(plan.snapshot)
    for piece in pieces.to_pylist():
        kept = np.unpackbits(np.frombuffer(piece["kept"], np.uint8), count=piece["rows"]).astype(bool)
        start = 0
        for frame in reader.read(piece["file"], piece["group"], columns):
            mask = kept[start : start + len(frame)]
            start += len(frame)
            if mask.any():
                rows = frame[mask]
                found = {"x": transform(step, rows, description)}
                found["y"] = encode_target(rows[description.target], description)
                yield found if plan.weights.alike else found | {"weight": plan.weights.weigh(rows)}
