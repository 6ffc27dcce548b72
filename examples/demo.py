"""`python -m examples.demo [--keep]`: the whole loop on the built-in example, with the real parts, in a few
minutes.

A city's rides, week by week: a model is trained and promoted, two calm weeks pass, a heat wave moves the
inputs, a new metro line changes what they mean. The script feeds weeks in and looks; that training starts
again is the automation's doing. Each claim is checked, and the first that does not hold ends the demo with
exit code 1.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from evergreen import stack
from evergreen.apply import apply
from evergreen.console import err, out, prepare, print_table
from examples.rides import generate
from pipelines.config import PipelineConfig
from pipelines.errors import EvergreenError
from pipelines.home import Home
from pipelines.records import WindowJudgment
from pipelines.registration import open_pipeline
from pipelines.serving.access import service_token
from pipelines.serving.client import predict

ONLINE_ZONE = generate.ZONES[
    0
]  # its rows are asked for one by one over HTTP, all others are scored as a file
EXPECTED = {11: "healthy", 12: "healthy", 13: "drift", 14: "healthy", 15: "degraded", 16: "healthy"}
CHANGES = {
    13: "a heat wave: inputs move",
    15: "a metro line opens: the meaning changes",
    16: "the metro stays",
}
RETRAIN_SECONDS = 300.0


class ClaimFailed(Exception):
    """Something that the demo is to show did not happen."""


def claim(holds: bool, words: str) -> None:
    """Say that something holds, or end the demo."""
    if not holds:
        raise ClaimFailed(words)
    err.print(f"[green]✓[/green] {words}")


@dataclass
class Demo:
    """A home and a work folder of its own, so that nothing of the checkout is touched."""

    home: Home
    folder: Path
    config: PipelineConfig
    lines: list[list[Any]]
    score: str = ""


def begin() -> Demo:
    """A fresh folder with the definition and ten weeks of history."""
    root = Path(".evergreen", "demo").absolute()
    if root.exists():
        stack.down(Home(root), say)
        shutil.rmtree(root)
    folder = root / "rides"
    folder.mkdir(parents=True)
    shutil.copy(Path(__file__).parent / "rides" / "pipeline.yaml", folder)
    for week in range(1, generate.HISTORY + 1):
        generate.write_week(folder, week)
    prepare(root, debug=False)
    return Demo(Home(root), folder, open_pipeline(Home(root), str(folder / "pipeline.yaml")), [])


def say(text: str) -> None:
    err.print(text, style="dim", markup=False)


def first_model(demo: Demo) -> None:
    """Deploy the flows and train version 1; the two have nothing to wait for in each other."""
    from flows.training import training

    failures: list[BaseException] = []

    def deploy() -> None:
        try:
            apply(demo.config)
        except BaseException as error:  # noqa: BLE001  (raised again below, in the thread that can answer)
            failures.append(error)

    deploying = threading.Thread(target=deploy)
    deploying.start()
    outcome = training(demo.config.pipeline, reason="first model")
    deploying.join()
    for failure in failures:
        raise failure
    claim(
        outcome.status == "promoted" and outcome.model["version"] == 1,
        f"version 1 promoted: {metrics_of(outcome.metrics)}",
    )
    quarantined = outcome.dataset["quarantined"]
    claim(int(quarantined) > 0, f"{quarantined} defective rows went to quarantine, with the reason")


def metrics_of(metrics: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in metrics.items())


def live_through(demo: Demo, week: int, version: int) -> WindowJudgment:
    """Score a week online and as a file, take in its truth, and let monitoring judge it."""
    from flows.monitoring import monitoring
    from flows.scoring import labelling, scoring

    truth_file, score_file = generate.write_week(demo.folder, week)
    rows = pd.read_csv(score_file)
    online = rows["zone"] == ONLINE_ZONE
    offline = demo.folder / f"offline-{week}.csv"
    rows[~online].to_csv(offline, index=False)
    scored = demo.folder / f"scored-{week}.csv"
    result = scoring(demo.config.pipeline, str(offline), str(scored))
    claim(
        result.version == version,
        f"week {week}: {result.rows:,} rows scored as a file by version {result.version}",
    )
    ids = ask_online(demo, rows[online], version)
    truth = pd.read_csv(truth_file)["rides"]
    answers = pd.concat(
        [
            pd.DataFrame(
                {"prediction_id": pd.read_csv(scored)["prediction_id"], "rides": truth[~online].to_numpy()}
            ),
            pd.DataFrame({"prediction_id": ids, "rides": truth[online].to_numpy()}),
        ]
    )
    labels = demo.folder / f"labels-{week}.csv"
    answers.to_csv(labels, index=False)
    await_log(demo, week, len(rows))
    matched = labelling(demo.config.pipeline, str(labels))
    claim(matched.matched == len(rows), f"week {week}: {matched.matched:,} labels joined by prediction id")
    judgment = monitoring(demo.config.pipeline)[-1]
    check_window(demo, week, judgment)
    return judgment


def ask_online(demo: Demo, rows: pd.DataFrame, version: int) -> list[str]:
    """Predictions over HTTP, with the token that lies in the home folder."""
    url = stack.read_stack(demo.home).endpoints["serving"]
    records = rows.astype(object).where(rows.notna(), None).to_dict("records")
    answer = predict(url, service_token(demo.home), "rides", records)
    claim(
        answer["version"] == version, f"{len(records)} predictions over HTTP by version {answer['version']}"
    )
    return [p["prediction_id"] for p in answer["predictions"]]


def await_log(demo: Demo, week: int, rows: int) -> None:
    """Wait until the service has written its predictions: it does so every second, off the request's path."""
    from datetime import timedelta

    from pipelines.data.predictions.prediction_log import read_window

    start = generate.START + timedelta(weeks=week - 1)
    deadline = time.monotonic() + 20
    while len(read_window(demo.home, "rides", start, start + timedelta(weeks=1))) < rows:
        if time.monotonic() > deadline:
            raise ClaimFailed(f"week {week}: not all of {rows} predictions are in the log after 20 s")
        time.sleep(0.2)


def check_window(demo: Demo, week: int, judgment: WindowJudgment) -> None:
    """The verdict is the one that this week deserves."""
    measure = judgment.measure
    drifted = [c.column for c in measure.drift.columns if c.drifted] if measure.drift else []
    quality = measure.quality.realised.value if measure.quality else float("nan")
    what = CHANGES.get(week, "calm")
    demo.lines.append(
        [
            week,
            what,
            f"version {measure.version}",
            quality,
            ", ".join(drifted),
            judgment.verdict,
            judgment.decision,
        ]
    )
    claim(
        judgment.verdict == EXPECTED[week],
        f"week {week} ({what}): {judgment.verdict}, decision {judgment.decision}",
    )


def await_retraining(demo: Demo, cause: str | None) -> None:
    """The automation, not this script, starts training; wait until its champion is served."""
    from pipelines.ledger import Ledger

    claim(cause is not None, f"cause {cause} stored, event sent")
    ledger, started, told = Ledger.open(demo.home), time.monotonic(), ""
    while (
        (champion := ledger.champion("rides")) is None
        or champion.version == 1
        or not is_served(demo, champion.version)
    ):
        state = " and ".join(f"{run.name} is {run.state_name}" for run in automated_runs()) or "no run yet"
        elapsed = time.monotonic() - started
        over = any(run.state is not None and run.state.is_final() for run in automated_runs())
        if elapsed > RETRAIN_SECONDS or (over and not is_served(demo, 2)):
            raise ClaimFailed(
                f"after {elapsed:.0f} s version 2 is not served: {state}; see {demo.home.logs / 'worker.log'}"
            )
        if state != told or elapsed % 5 < 1:
            say(f"         waiting for the automation, {elapsed:.0f} s: {state}")
        told = state
        time.sleep(1)
    claim(
        champion.cause == cause, f"version {champion.version} promoted because of it: {champion.why[:100]}…"
    )
    claim(len(automated_runs()) == 1, "one change started one training, by the automation")


def is_served(demo: Demo, version: int) -> bool:
    from pipelines.serving.client import health

    return bool(health(stack.read_stack(demo.home).endpoints["serving"])["versions"].get("rides") == version)


def automated_runs() -> list[Any]:
    """The training runs that a Prefect automation made."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName

    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_filter=FlowFilter(name=FlowFilterName(any_=["training"])))
    return [run for run in runs if run.created_by is not None and run.created_by.type == "AUTOMATION"]


def make_again(demo: Demo, version: int) -> subprocess.Popen[bytes]:
    """Begin to train a version once more, in a process beside the story."""
    words = ["reproduce", demo.config.pipeline, "--version", str(version), "--home", str(demo.home.root)]
    command = [sys.executable, "-c", "from evergreen.cli import main; main()", *words]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def practise_rollback(demo: Demo) -> None:
    """Back to version 1 and forward to version 2 again, as one would after a bad night."""
    from flows.serving import rollback

    for version in (1, 2):
        started = time.monotonic()
        rollback(demo.config.pipeline, version=version, reason="practised by the demo", by="the demo")
        seconds = time.monotonic() - started
        claim(is_served(demo, version), f"rollback to version {version}, served after {seconds:.1f} s")


def audit(demo: Demo) -> None:
    """The ML Test Score, from what the ledger has of this story."""
    from pipelines.audit.report import audit_pipeline

    card, page = audit_pipeline(demo.home, demo.config)
    sums = ", ".join(f"{name} {points:g}" for name, points in card.sections.items())
    demo.score = f"ML Test Score {card.score:g} ({sums}): {card.band}. {page}"
    claim(card.score > 5, demo.score)


def run(demo: Demo) -> None:
    """The story."""
    first_model(demo)
    with make_again(demo, version=1) as again:
        for week in (11, 12, 13, 14):
            live_through(demo, week, version=1)
        same = again.wait(RETRAIN_SECONDS) == 0
    claim(same, "version 1, trained once more meanwhile, is the same bit for bit")
    changed = live_through(demo, 15, version=1)
    await_retraining(demo, changed.cause)
    back = live_through(demo, 16, version=2)
    before, after = changed.measure.quality, back.measure.quality
    if before and after:
        better = after.realised.value < 0.75 * before.realised.value
        claim(
            better,
            f"quality is back: rmse {before.realised.value:.3g} in week 15,"
            f" {after.realised.value:.3g} in week 16",
        )
    practise_rollback(demo)
    audit(demo)


def tell(demo: Demo, seconds: float) -> None:
    """What happened, and where to look."""
    from pipelines.reporting.gather import write_report

    head = ["week", "what happened", "scored by", "rmse", "drifted", "verdict", "decision"]
    print_table("The loop, week by week", head, demo.lines)
    print_table(
        "Where to look",
        ["what", "where"],
        [*stack.read_stack(demo.home).endpoints.items(), ["page", write_report(demo.home, "rides")]],
    )
    out.print(demo.score, markup=False, soft_wrap=True)
    out.print(f"The whole loop took {seconds:.0f} s.")


def main() -> int:
    """Run the demo; 0 when every claim held."""
    parser = argparse.ArgumentParser(prog="demo", description="The whole loop on the built-in example.")
    parser.add_argument("--keep", action="store_true", help="leave the stack running, to look around")
    keep, started = parser.parse_args().keep, time.monotonic()
    demo = begin()
    try:
        stack.up(demo.home, say)
        stack.connect(demo.home)
        run(demo)
        tell(demo, time.monotonic() - started)
    except (ClaimFailed, EvergreenError) as failure:
        err.print(f"✗ {failure}", style="red", markup=False)
        return 1
    finally:
        if keep:
            out.print(
                f"The stack stays up. Stop it with: evergreen down --home {demo.home.root}", markup=False
            )
        else:
            stack.down(demo.home, say)
    return 0


if __name__ == "__main__":
    code = 1
    try:
        code = main()
    finally:
        sys.stdout.flush()
        os._exit(code)  # Prefect's background threads would wait for a server that is gone
