"""A registered version made anew from what the ledger has of it, and what of it is the same."""

from __future__ import annotations

import io
import shutil
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pipelines.config import PipelineConfig
from pipelines.environment import environment_of
from pipelines.errors import EvergreenError, TrainingFailed
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.markdown import markdown_table
from pipelines.models.code import CODE, own_references
from pipelines.records import Attempt, Record, TrainedModel
from pipelines.registration import open_pipeline
from pipelines.training.folder import AttemptFolder

if TYPE_CHECKING:
    from numpy.typing import NDArray

THREADS = "threads"
PLACE = "reproduction"


class SameFile(Record):
    """A file of the model, by its sha256."""

    recorded: str | None
    reproduced: str | None
    equal: bool


class SameWeights(Record):
    """`largest_difference` is the largest absolute one between two numbers of files that differ; None where
    they cannot be compared number by number."""

    equal: bool
    files: dict[str, SameFile]
    largest_difference: float | None


class SameMetric(Record):
    recorded: float
    reproduced: float
    equal: bool

    @property
    def difference(self) -> float:
        return abs(self.reproduced - self.recorded)


class Reproduction(Record):
    """What `reproduce` answers. `environment` has what differs now: `{what: {recorded, now}}`.

    `seconds` are those of the training.
    """

    pipeline: str
    version: int
    attempt: str
    weights: SameWeights
    metrics: dict[str, SameMetric]
    environment: dict[str, dict[str, Any]]
    folder: str | None = None  # of the new training, kept where it differs
    seconds: float

    @property
    def agrees(self) -> bool:
        return self.weights.equal and all(metric.equal for metric in self.metrics.values())


class Recorded(Record):
    """What the ledger has of a version: what it was made from, in which surroundings, and what came of it."""

    version: int
    config: PipelineConfig
    attempt: Attempt
    trained: TrainedModel
    metrics: dict[str, float]
    environment: dict[str, Any]


def read_version(home: Home, pipeline: str, version: int) -> Recorded:
    """A version's record; `pipeline` is a name or a path. Raises UsageError where there is no such version.

    Raises EvergreenError where it is too old to say what it was made from.
    """
    ledger = Ledger.open(home)
    name = pipeline if pipeline in ledger.pipelines() else open_pipeline(home, pipeline).pipeline
    made = ledger.version(name, version)
    if not made.config:
        raise EvergreenError(
            f"{name} version {version}: the ledger does not have the definition that it was trained by.",
            "It was trained by an earlier Evergreen. Train again; later versions can be reproduced.",
        )
    try:
        config = PipelineConfig.model_validate(made.config)
    except ValidationError as error:
        raise EvergreenError(
            f"{name} version {version}: this Evergreen cannot read its definition:"
            f" {error.error_count()} keys have changed.",
            f"It was trained by the code of commit {made.environment.get('commit')}; use that.",
        ) from error
    return Recorded(
        version=version,
        config=config,
        attempt=made.attempt,
        trained=ledger.trained(name, version),
        metrics=made.outcome.metrics if made.outcome else {},
        environment=made.environment,
    )


# ------------------------------------------------------------------------------------------------ again


def train_again(home: Home, recorded: Recorded) -> TrainedModel:
    """Train from the same snapshot, definition, code, threads and workers, in a folder beside all others.

    The ledger, MLflow and what is served know nothing of it. Raises DataError where the snapshot is gone, and
    what a training raises.
    """
    from pipelines.data.storage.snapshots import check_snapshot
    from pipelines.training.attempts import fit_model

    check_snapshot(recorded.attempt.snapshot)  # what is gone is said before anything is begun
    name = f"{recorded.attempt.id}-again-{time.time_ns()}"
    place = home.pipeline(recorded.config.pipeline).root / PLACE / name
    place.mkdir(parents=True)
    keep_choices(AttemptFolder(Path(recorded.attempt.folder)), AttemptFolder(place))
    details, config = recorded.trained.details, recorded.config
    changes: dict[str, Any] = {"checkpoints": None}  # their address is kept without its password
    if config.training.workers == "auto" and "workers" in details:
        changes["workers"] = int(details["workers"])
    config = config.model_copy(update={"training": config.training.model_copy(update=changes)})
    if own_references(config):
        # What is beside pipeline.yaml may have changed since; the model has what it was built by.
        config = config.model_copy(update={"folder": kept_bundle(home, recorded) / CODE})
    threads = {"OMP_NUM_THREADS": str(int(details[THREADS]))} if THREADS in details else {}
    with environment_of(threads):
        return fit_model(config, recorded.attempt.model_copy(update={"id": name, "folder": str(place)}))


def keep_choices(of: AttemptFolder, again: AttemptFolder) -> None:
    """The settings that a tuning chose: a search by the clock and in parallel never goes the same way."""
    if of.tuned.exists():
        shutil.copyfile(of.tuned, again.tuned)


def kept_bundle(home: Home, recorded: Recorded) -> Path:
    """The version's own files, where they still are what was recorded: with its attempt, or in MLflow."""
    from pipelines.models.bundle import is_intact
    from pipelines.registry.mlflow_store import fetch_model

    folder = Path(recorded.trained.folder)
    if is_intact(folder, recorded.trained.files):
        return folder
    served = fetch_model(home, recorded.config.pipeline, recorded.version, recorded.trained)
    return Path(served.folder)


# ------------------------------------------------------------------------------------------------ compared


def compare_versions(home: Home, recorded: Recorded, again: TrainedModel) -> Reproduction:
    """Whether files and metrics are the same, and what differs around them."""
    weights = compare_weights(home, recorded, again)
    found = measure(recorded, again)
    metrics = {
        name: SameMetric(recorded=value, reproduced=found[name], equal=value == found[name])
        for name, value in recorded.metrics.items()
        if name in found
    }
    if not metrics:
        raise TrainingFailed(f"{recorded.attempt.id}: the ledger has no metrics of it to compare with.")
    place = Path(again.folder).parent
    answer = Reproduction(
        pipeline=recorded.config.pipeline,
        version=recorded.version,
        attempt=recorded.attempt.id,
        weights=weights,
        metrics=metrics,
        environment=compare_environments(recorded, again),
        folder=str(place),
        seconds=again.seconds,
    )
    if not answer.agrees:
        return answer
    shutil.rmtree(place, ignore_errors=True)
    return answer.model_copy(update={"folder": None})


def measure(recorded: Recorded, again: TrainedModel) -> dict[str, float]:
    """The metrics of the new model on the rows that the recorded one was judged on."""
    from pipelines.evaluation.answers import predict_test
    from pipelines.evaluation.metrics import score_all
    from pipelines.models.bundle import load_bundle
    from pipelines.partition import partition_snapshot

    rows, target = partition_snapshot(recorded.attempt.snapshot, recorded.config), recorded.config.data.target
    predictions = predict_test(load_bundle(Path(again.folder), again.files), rows)
    return score_all(recorded.config.task, rows.table("test", columns=[target])[target], predictions)


def compare_weights(home: Home, recorded: Recorded, again: TrainedModel) -> SameWeights:
    """File by file; the numbers in those that differ are compared, too."""
    old, new = recorded.trained.files, again.files
    files = {
        name: SameFile(recorded=old.get(name), reproduced=new.get(name), equal=old.get(name) == new.get(name))
        for name in sorted(old.keys() | new.keys())
    }
    differing = [name for name, file in files.items() if not file.equal]
    largest: float | None = 0.0
    if differing:
        both = kept_bundle(home, recorded), Path(again.folder)
        largest = largest_difference([(both[0] / name, both[1] / name) for name in differing])
    return SameWeights(equal=not differing, files=files, largest_difference=largest)


def largest_difference(pairs: list[tuple[Path, Path]]) -> float | None:
    """Over all numbers of the files; None where arrays are missing, of other shapes, or there are none."""
    import numpy as np

    found: list[float] = []
    for one, other in pairs:
        first, second = numbers_in(one), numbers_in(other)
        if [(n, a.shape) for n, a in first.items()] != [(n, a.shape) for n, a in second.items()]:
            return None
        found += [float(np.max(np.abs(a - second[n]), initial=0.0)) for n, a in first.items()]
    return max(found) if found else None


def numbers_in(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of numbers in a file of a bundle, as float64, by name; other files have none."""
    import numpy as np

    arrays: dict[str, Any] = {}
    if path.exists() and path.suffix == ".pt":
        import torch

        arrays = {n: t.numpy() for n, t in torch.load(path, weights_only=True, map_location="cpu").items()}
    elif path.exists() and path.suffix == ".skops":
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            loaded = {n: np.load(io.BytesIO(archive.read(n)), allow_pickle=False) for n in names}
        for name, array in loaded.items():
            fields = array.dtype.names or [None]
            arrays |= {f"{name}.{f}" if f else name: array[f] if f else array for f in fields}
    return {n: a.astype("float64") for n, a in arrays.items() if a.dtype.kind in "iufb"}


def compare_environments(recorded: Recorded, again: TrainedModel) -> dict[str, dict[str, Any]]:
    """What is not as it was: code, packages, machine, threads, workers."""
    from pipelines.training.provenance import describe_environment

    before = flatten(recorded.environment) | running(recorded.trained)
    after = flatten(describe_environment()) | running(again)
    return {
        key: {"recorded": before.get(key), "now": after.get(key)}
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    }


def running(trained: TrainedModel) -> dict[str, Any]:
    return {name: trained.details[name] for name in (THREADS, "workers") if name in trained.details}


def flatten(tree: dict[str, Any], above: str = "") -> dict[str, Any]:
    """`{"packages": {"torch": …}}` as `{"packages.torch": …}`."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= flatten(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value}
    return flat


def render_reproduction(found: Reproduction) -> str:
    """A page of Markdown for whoever asked."""
    verdict = "agrees" if found.agrees else "does not agree"
    files = [[n, "the same" if f.equal else "differs"] for n, f in found.weights.files.items()]
    metrics = [[n, m.recorded, m.reproduced, m.difference] for n, m in found.metrics.items()]
    around = [[n, d["recorded"], d["now"]] for n, d in found.environment.items()]
    parts = [
        f"# Version {found.version} of {found.pipeline}, made again, {verdict}",
        markdown_table(["file", "content"], files),
        f"Largest difference of a number: {found.weights.largest_difference}",
        markdown_table(["metric", "recorded", "reproduced", "difference"], metrics),
        markdown_table(["surroundings", "recorded", "now"], around)
        if around
        else "The surroundings are the same.",
    ]
    return "\n\n".join(parts)
