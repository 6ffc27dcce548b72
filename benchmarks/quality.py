"""How good the default model is, against scikit-learn's gradient boosting at its defaults.

    python benchmarks/quality.py                                   the development sets, if they lie beside
    python benchmarks/quality.py --sklearn                         scikit-learn's own small tables as well
    python benchmarks/quality.py FILE --target COL [--timestamp COL]     any other table

Each table goes through `init`, ingestion and checks as a user's would; then the default is trained, and
HistGradientBoosting at its defaults on the same features, once on the training part and once on all rows
before the test part. All are judged on the same test rows, with the bootstrap interval of boosting's metric.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.environment import SLEEPING_THREADS, set_environment, silence_telemetry

BESIDE = Path(__file__).parents[2] / "shared" / "data"
DEVELOPMENT = {
    "bikes": ("bike_sharing_hourly/hour.csv", "cnt", "dteday"),
    "adult": ("adult_census/adult.csv.gz", "income", None),
    "melbourne": ("melbourne_housing/melb_data.csv", "Price", "Date"),
}
BUNDLED = ("breast_cancer", "wine", "diabetes", "digits")


@dataclass(frozen=True)
class Line:
    """One table's result; `boosting` is the better of boosting's two fits."""

    table: str
    rows: int
    metric: str
    kind: str
    default: float
    boosting_on_train: float
    boosting_on_all: float
    low: float
    high: float
    verdict: str
    seconds: float


def main() -> None:
    args = parse_args()
    silence_telemetry()
    set_environment(SLEEPING_THREADS)
    with tempfile.TemporaryDirectory() as folder:
        lines = []
        for name, (file, target, timestamp) in tables(args, Path(folder)).items():
            lines.append(compare(name, file, target, timestamp, Path(folder) / name, args.kind))
            show(lines[-1])
    if args.json:
        sys.stdout.write(json.dumps([asdict(line) for line in lines]) + "\n")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?")
    parser.add_argument("--target")
    parser.add_argument("--timestamp")
    parser.add_argument("--kind", help="instead of the default: linear, gradient_boosting, mlp, tabm")
    parser.add_argument("--sklearn", action="store_true")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def tables(args: argparse.Namespace, folder: Path) -> dict[str, tuple[str, str, str | None]]:
    """File, target and timestamp by name."""
    if args.file:
        return {Path(args.file).stem: (args.file, args.target, args.timestamp)}
    found = {n: (str(BESIDE / f), t, ts) for n, (f, t, ts) in DEVELOPMENT.items() if (BESIDE / f).exists()}
    return found | (bundled(folder) if args.sklearn or not found else {})


def bundled(folder: Path) -> dict[str, tuple[str, str, str | None]]:
    """scikit-learn's own tables as CSV files."""
    import sklearn.datasets

    found: dict[str, tuple[str, str, str | None]] = {}
    for name in BUNDLED:
        table = getattr(sklearn.datasets, f"load_{name}")(as_frame=True)
        rows = table.frame
        if name != "diabetes":
            rows = rows.assign(target=[f"class {value}" for value in rows["target"]])
        rows.to_csv(folder / f"{name}.csv", index=False)
        found[name] = (str(folder / f"{name}.csv"), "target", None)
    return found


def compare(name: str, file: str, target: str, timestamp: str | None, folder: Path, kind: str | None) -> Line:
    """Train the default and boosting on one table, and judge them on its test part."""
    from pipelines.data.definition.proposal import init_definition
    from pipelines.data.ingestion.batches import stage_batch
    from pipelines.data.storage.snapshots import accept_batch
    from pipelines.evaluation.comparing import compare_all
    from pipelines.evaluation.resampling import Resamples
    from pipelines.home import Home
    from pipelines.models.bundle import hash_files, load_bundle
    from pipelines.partition import partition_snapshot
    from pipelines.registration import open_pipeline
    from pipelines.training.attempts import plan_attempt
    from pipelines.training.fitting import fit_attempt
    from pipelines.training.folder import AttemptFolder
    from pipelines.validation.batch import validate_batch

    home = Home(folder)
    folder.mkdir()
    init_definition(file, target, timestamp, folder / "pipeline.yaml", None, None)
    config = open_pipeline(home, str(folder / "pipeline.yaml"))
    if kind:
        config = config.model_copy(update={"model": config.model.model_copy(update={"kind": kind})})
    batch = stage_batch(config, home, [])
    snapshot = accept_batch(home, batch, validate_batch(config, home, batch))
    attempt = plan_attempt(config, home, snapshot, None)
    place = AttemptFolder.of(attempt)
    place.root.mkdir(parents=True)
    started = time.monotonic()
    fitted = fit_attempt(config, attempt, place)
    seconds = time.monotonic() - started

    test = partition_snapshot(snapshot, config).table("test")
    answers = {"ours": load_bundle(place.bundle, hash_files(place.bundle)).predict(test)}
    answers |= {arrays: boost(place.root / arrays, test) for arrays in ("arrays", "refit/arrays")}
    found = compare_all(config.task, test[target], answers, Resamples(len(test)))
    measured = next(compared for compared in found if compared.metric == config.metric)
    ours, *theirs = (measured.interval(name) for name in answers)
    best = pick(config.metric, theirs)
    return Line(
        table=name,
        rows=snapshot.rows,
        metric=config.metric,
        kind=fitted.kind,
        default=ours.value,
        boosting_on_train=theirs[0].value,
        boosting_on_all=theirs[1].value,
        low=best.low,
        high=best.high,
        verdict=judge(config.metric, ours.value, best),
        seconds=round(seconds, 1),
    )


def boost(arrays: Path, test: Any) -> Any:
    """The test rows' predictions by HistGradientBoosting at its defaults, on the arrays of a training."""
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    from pipelines.models.bundle import Bundle, Description, load_features
    from pipelines.training.arrays import DESCRIPTION
    from pipelines.training.estimators import categorical

    description = Description.model_validate_json((arrays / DESCRIPTION).read_text())
    kind = HistGradientBoostingClassifier if description.classes else HistGradientBoostingRegressor
    model = kind(categorical_features=categorical(description), random_state=0)
    model.fit(np.load(arrays / "x.npy"), np.load(arrays / "y.npy"))
    boosted = description.model_copy(update={"kind": "gradient_boosting"})
    return Bundle(boosted, load_features(arrays), model if description.classes else [model]).predict(test)


def pick(metric: str, intervals: list[Any]) -> Any:
    """The better of two."""
    from pipelines.evaluation.metrics import higher_is_better

    return (max if higher_is_better(metric) else min)(intervals, key=lambda i: i.value)


def judge(metric: str, ours: float, theirs: Any) -> str:
    """`better` or `worse` outside boosting's interval, else `as good`."""
    from pipelines.evaluation.metrics import higher_is_better

    if theirs.low <= ours <= theirs.high:
        return "as good"
    return "better" if (ours > theirs.high) == higher_is_better(metric) else "worse"


def show(line: Line) -> None:
    sys.stderr.write(
        f"{line.table:14} {line.rows:7,} rows  {line.metric:8} default {line.default:<11.5g} ({line.kind})"
        f"  boosting"
        f" {line.boosting_on_train:<9.5g} on train, {line.boosting_on_all:<9.5g} on all before the test,"
        f" {line.low:.5g} to {line.high:.5g}: {line.verdict}, {line.seconds:.0f} s\n"
    )


if __name__ == "__main__":
    main()
