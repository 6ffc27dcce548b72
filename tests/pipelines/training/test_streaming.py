"""Rows that are streamed are those of the arrays, each once an epoch, and teach the network as much."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.data.storage.snapshots import current_snapshot
from pipelines.data.storage.tables import write_rows
from pipelines.environment import set_environment
from pipelines.errors import EvergreenError
from pipelines.home import Home
from pipelines.training import streaming
from pipelines.training.arrays import load_arrays
from pipelines.training.attempts import plan_attempt
from pipelines.training.distributed import divide
from pipelines.training.fitting import fit_attempt
from pipelines.training.folder import AttemptFolder
from pipelines.training.job import FitJob, Fitted

FILES = 3


@pytest.fixture
def cluster() -> Iterator[None]:
    """A CPU for the worker and one to read."""
    import ray

    set_environment({"RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1", "RAY_CHDIR_TO_TRIAL_DIR": "0"})
    ray.init(num_cpus=2, include_dashboard=False)
    yield
    ray.shutdown()


def keep_in_files(frame: Any, home: Home) -> Any:
    """The frame as a snapshot of several files."""
    import pyarrow as pa

    whole = frame.assign(_row=np.arange(len(frame)), _seq=np.arange(len(frame)))
    for rows in np.array_split(np.arange(len(frame)), FILES):
        part = pa.Table.from_pandas(whole.iloc[rows], preserve_index=False)
        write_rows(home.pipeline("trips").rows, part)
    return current_snapshot(home, "trips")


def fit(home: Home, config: Any, snapshot: Any) -> tuple[Fitted, AttemptFolder, Any]:
    attempt = plan_attempt(config, home, snapshot, None)
    folder = AttemptFolder.of(attempt)
    folder.root.mkdir(parents=True)
    return fit_attempt(config, attempt, folder), folder, attempt


@pytest.mark.slow
def test_a_streamed_training_sees_each_row_once_an_epoch_and_learns_as_much(
    cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: Any, define: Any
) -> None:
    monkeypatch.setattr(streaming, "BLOCK", 1)  # so that each file is a block
    home, training = Home(tmp_path), {"epochs": 5, "half_life": "60 days", "learning_rate": 0.02}
    training |= {"batch_size": 64, "refit": False}  # a refit is the same once more
    snapshot = keep_in_files(table(1_500), home)
    held, kept, _ = fit(home, define(training={**training, "workers": 0}, split={"by": "random"}), snapshot)
    config = define(training={**training, "stream": True, "failures": 0}, split={"by": "random"})
    streamed, folder, attempt = fit(home, config, snapshot)

    assert streamed.validation_loss is not None
    assert held.validation_loss is not None
    assert streamed.validation_loss < 1.3 * held.validation_loss < 0.3  # of standardised values
    assert {path.name for path in folder.root.rglob("*.npy")} == {
        "x_validation.npy", "y_validation.npy", "losses.npy"
    }  # fmt: skip

    arrays = load_arrays(kept.arrays)
    shard = streaming.make_dataset(job_of(config, attempt, folder)).streaming_split(1, equal=True)[0]
    epochs = [list(shard.iter_batches(batch_size=None)) for _ in range(3)]
    assert len({tuple(float(block["y"][0]) for block in blocks) for blocks in epochs}) > 1  # their order
    for blocks in epochs:
        found = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
        for name in ("x", "weight", "y"):
            rows, expected = found[name][np.argsort(found["y"])], arrays[name][np.argsort(arrays["y"])]
            np.testing.assert_allclose(rows, expected, rtol=1e-4, atol=1e-5)


def job_of(config: Any, attempt: Any, folder: AttemptFolder) -> FitJob:
    from pipelines.partition import partition_snapshot
    from pipelines.training.fitting import plan_job

    return plan_job(config, attempt, folder, partition_snapshot(attempt.snapshot, config))


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"model": "gradient_boosting"}, "streamed into networks alone, and model is gradient_boosting"),
        ({"model": "auto"}, "streamed into networks alone, and model is auto"),
        ({"tuning": {"trials": 2}}, "trials of a tuning share arrays"),
        ({"training": {"stream": True, "workers": 0}}, "training.workers is 0"),
    ],
)
def test_what_cannot_be_streamed_is_said_by_the_definition(
    define: Any, sections: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=f"training.stream: .*{words}"):
        define(**{"training": {"stream": True}, **sections})


def test_a_cpu_is_left_to_read(define: Any) -> None:
    training = define(training={"stream": True, "workers": (1, 9)}).training
    assert divide([{"CPU": 4.0}], training).workers == (1, 3)
    with pytest.raises(EvergreenError, match="room for 0 beside the CPU that reads the stream"):
        divide([{"CPU": 1.0}], training)
