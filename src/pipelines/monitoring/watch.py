"""Which windows are due, and what follows from each: measure, decide, store."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pipelines.clock import now
from pipelines.config import PipelineConfig
from pipelines.data.predictions.prediction_log import read_window, window_counts
from pipelines.evaluation.metrics import higher_is_better
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.monitoring import judge as rules
from pipelines.monitoring.keep import reference_folder
from pipelines.monitoring.reference import read_reference
from pipelines.monitoring.windows import main_version, measure_window
from pipelines.progress import log
from pipelines.records import Cause, CauseKind, Record, WindowJudgment, WindowMeasure, WindowVerdict
from pipelines.retraining import cause_id, decide_retraining

KINDS: dict[WindowVerdict, CauseKind] = {"drift": "drift", "degraded": "degraded"}


class DueWindow(Record):
    """A window to judge: its bounds in event time, and how many rows and labels there are now."""

    start: datetime
    end: datetime
    rows: int
    labelled: int


def due_windows(
    config: PipelineConfig, home: Home, since: datetime | None = None, until: datetime | None = None
) -> list[DueWindow]:
    """The windows that are over, with rows or labels that no judgment has seen; with bounds, all between."""
    width = config.monitoring.window
    judged = {
        j.measure.start: (j.measure.rows, j.measure.labelled)
        for j in Ledger.open(home).windows(config.pipeline)
    }
    counts = window_counts(home, config.pipeline, width.total_seconds(), config.monitoring.origin)
    windows = [
        DueWindow(start=s, end=s + width, rows=rows, labelled=labelled) for s, rows, labelled in counts
    ]
    if since is None and until is None:
        return [w for w in windows if w.end <= now() and judged.get(w.start) != (w.rows, w.labelled)]
    first, last = (bound.replace(tzinfo=None) if bound else None for bound in (since, until))
    return [w for w in windows if (first is None or w.end > first) and (last is None or w.start < last)]


def measure(config: PipelineConfig, home: Home, window: DueWindow) -> WindowMeasure:
    """Drift and realised quality of one window, against the version that scored most of it."""
    log.info(
        "Measuring the window from %s: %s rows, %s labelled",
        window.start,
        f"{window.rows:,}",
        f"{window.labelled:,}",
    )
    rows = read_window(home, config.pipeline, window.start, window.end)
    attempt = find_attempt(home, config.pipeline, main_version(rows))
    page = home.pipeline(config.pipeline).reports / f"drift-{window.start:%Y%m%d-%H%M}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    outcome = Ledger.open(home).outcome(attempt.name)
    expected = outcome.metrics[config.metric] if outcome else float("nan")
    measured = measure_window(
        config, rows, (window.start, window.end), read_reference(reference_folder(attempt)), expected, page
    )
    # All rows of the window, also another version's: `due_windows` tells by them whether any came since.
    return measured.model_copy(update={"rows": window.rows, "labelled": window.labelled})


def find_attempt(home: Home, pipeline: str, version: int | None) -> Path:
    """The folder of the attempt behind a version."""
    trained = Ledger.open(home).trained(pipeline, version or 0)
    return home.pipeline(pipeline).attempts / trained.attempt


def judge(config: PipelineConfig, home: Home, measured: WindowMeasure) -> WindowJudgment:
    """Decide on a window, store cause and judgment; the same window judged again gives the same cause."""
    ledger = Ledger.open(home)
    verdict, why = rules.judge_window(measured, config.monitoring, higher_is_better(config.metric))
    champion = ledger.champion(config.pipeline)
    decision, policy = decide_retraining(
        verdict,
        config.retraining,
        measured.end,
        ledger.last_cause_end(config.pipeline, before=measured.end),
        champion is not None and champion.version == measured.version,
    )
    cause = name_cause(measured, verdict)
    if cause is not None and ledger.cause(cause) is not None:
        decision, policy = "retrain", "Training was started because of it."
    elif decision == "retrain":
        store_cause(ledger, measured, verdict, why)
    judgment = WindowJudgment(
        measure=measured,
        verdict=verdict,
        decision=decision,
        reason=f"{why} {policy}",
        cause=cause if decision == "retrain" else None,
    )
    ledger.store_window(judgment)
    log.info("Window from %s: %s, decision %s. %s", measured.start, verdict, decision, judgment.reason)
    return judgment


def name_cause(measured: WindowMeasure, verdict: WindowVerdict) -> str | None:
    """The id of the cause that this window's verdict is, None for a verdict that is none."""
    kind = KINDS.get(verdict)
    return cause_id(measured.pipeline, measured.version, kind, measured.start) if kind else None


def store_cause(ledger: Ledger, measured: WindowMeasure, verdict: WindowVerdict, why: str) -> None:
    """Keep why a training is to start, before anybody is told."""
    kind = KINDS[verdict]
    cause = Cause(
        id=cause_id(measured.pipeline, measured.version, kind, measured.start),
        pipeline=measured.pipeline,
        kind=kind,
        reason=f"Window from {measured.start:%Y-%m-%d %H:%M}: {why}",
        version=measured.version,
        created=now(),
    )
    ledger.add_cause(cause, window_end=measured.end)
