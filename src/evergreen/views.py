"""How answers look to a person, and the JSON of those that gather several things."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from evergreen.console import out, print_table
from evergreen.stack import read_stack
from pipelines.clock import now
from pipelines.costs import describe_cost
from pipelines.errors import StackError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.markdown import make_visible
from pipelines.promotion.aliases import describe_alias
from pipelines.records import Approval, Cost, RowCounts, TrainOutcome, WindowJudgment

if TYPE_CHECKING:
    from pipelines.data.definition.proposal import InitResult


def show_init(result: InitResult) -> None:
    print_table(
        f"{result.pipeline}: {result.task}, target {result.target}",
        ["column", "type", "role", "why"],
        ([c.name, c.type, c.role, c.why] for c in result.columns),
    )
    for warning in result.warnings:
        out.print(f"Note: {make_visible(warning)}", markup=False)
    out.print(
        f"Next: edit {result.pipeline} if you like, then: evergreen train {result.pipeline}", markup=False
    )


def show_endpoints(endpoints: dict[str, str]) -> None:
    print_table("The local stack", ["what", "where"], endpoints.items())


def show_deployments(names: dict[str, list[str]]) -> None:
    print_table(
        "Deployments", ["pipeline", "deployment"], ([p, d] for p, all_of in names.items() for d in all_of)
    )


def describe_status(home: Home) -> dict[str, Any]:
    """Endpoints of what runs, and champion, last batch, attempt and window of each pipeline."""
    stack, ledger = read_stack(home), Ledger.open(home)
    pipelines = []
    for name in ledger.pipelines():
        champion, windows = ledger.champion(name), ledger.windows(name)
        last = {"start": windows[-1].measure.start, "verdict": windows[-1].verdict} if windows else None
        pipelines.append(
            {
                "name": name,
                "champion": champion.version if champion else None,
                "confirmed": champion.state == "confirmed" if champion else None,
                "alias": alias_words(home, name),
                "waiting": [describe_approval(one) for one in ledger.approvals("waiting", name)],
                "last_batch": next(reversed(describe_batches(ledger, name)), None),
                "last_attempt": next(reversed(describe_attempts(ledger, name)), None),
                "last_window": last,
            }
        )
    return {
        "running": stack.running,
        "endpoints": stack.endpoints if stack.running else {},
        "pipelines": pipelines,
    }


def describe_approval(request: Approval) -> dict[str, Any]:
    """An attempt that waits for a person."""
    return {
        "attempt": request.attempt,
        "version": request.promotion.version,
        "until": request.expires.isoformat(),
        "expired": request.expires <= now(),
        "why": request.promotion.why,
    }


def approval_words(one: dict[str, Any]) -> str:
    """Until when a version waits and how to decide, or that the time for it is over."""
    version, until = f"version {one['version']}", f"{one['until'][:16].replace('T', ' ')} UTC"
    if one["expired"]:
        over = f"{version} expired on {until}: nobody decided in time, and it can no longer be approved."
        return f"{over} The maintenance flow closes it."
    hint = f"`evergreen approve {one['attempt']} --by NAME --reason WHY`, or `evergreen reject`."
    return f"{version} waits for a person until {until}: {one['why']}. {hint}"


def alias_words(home: Home, pipeline: str) -> str | None:
    """What is wrong with MLflow's alias, None where nothing is; that it cannot be read is no failure."""
    try:
        return describe_alias(home, pipeline)
    except StackError as error:
        return str(error)


def show_status(answer: dict[str, Any]) -> None:
    if answer["running"]:
        show_endpoints(answer["endpoints"])
    else:
        out.print("The local stack is not running; `evergreen up` starts it.")
    windows = (p["last_window"] for p in answer["pipelines"])
    tried = (attempt_words(p["last_attempt"]) for p in answer["pipelines"])
    verdicts = [f"{w['start']:%Y-%m-%d}: {w['verdict']}" if w else "none yet" for w in windows]
    rows = (
        [p["name"], p["champion"] or "none yet", batch_words(p["last_batch"]), attempt, v]
        for p, attempt, v in zip(answer["pipelines"], tried, verdicts, strict=True)
    )
    print_table("Pipelines", ["name", "champion", "last batch", "last attempt", "last window"], rows)
    for pipeline in answer["pipelines"]:
        if pipeline["confirmed"] is False:
            words = (
                "is not confirmed yet; the maintenance flow, or `evergreen deploy`, finishes or undoes it."
            )
            out.print(f"Note: version {pipeline['champion']} of {pipeline['name']} {words}", markup=False)
        for one in pipeline["waiting"]:
            out.print(f"{pipeline['name']}: {approval_words(one)}", markup=False)
        if pipeline["alias"]:
            out.print(f"Note: {pipeline['alias']}", markup=False)


def describe_attempts(ledger: Ledger, pipeline: str) -> list[dict[str, Any]]:
    """A pipeline's attempts, oldest first; `failure` says why one failed, `cost` is null where unknown."""
    causes = {c.id: c.reason for c in ledger.causes(pipeline)}
    return [
        {
            "id": one.id,
            "started": one.started.isoformat(),
            "status": one.outcome.status if one.outcome else "unfinished",
            "failure": one.outcome.reason if one.outcome else None,
            "version": one.version,
            "cause": one.cause,
            "reason": causes.get(one.cause or ""),
            "cost": one.cost and one.cost.model_dump(),
        }
        for one in ledger.attempts(pipeline)
    ]


def attempt_words(attempt: dict[str, Any] | None) -> str:
    """When an attempt started, how it ended, and why where it failed."""
    if attempt is None:
        return "none yet"
    failure = f": {attempt['failure']}" if attempt["failure"] else ""
    return f"{attempt['started'][:10]} {attempt['status']}{failure}"


def cost_words(cost: dict[str, Any] | None) -> str:
    return describe_cost(Cost.model_validate(cost)) if cost else ""


def describe_batches(ledger: Ledger, pipeline: str) -> list[dict[str, Any]]:
    """A pipeline's batches, oldest first; the row counts are null until a batch is judged."""
    return [
        {
            "id": intake.batch.id,
            "created": intake.created.isoformat(),
            "state": intake.state,
            "version": intake.version,
            "rows": intake.counts.model_dump() if intake.counts else None,
            "sources": [source.uri for source in intake.batch.sources],
        }
        for intake in ledger.intakes(pipeline)
    ]


def batch_words(batch: dict[str, Any] | None) -> str:
    """When a batch came, what became of it, and where its rows went."""
    if batch is None:
        return "none yet"
    rows = f": {RowCounts.model_validate(batch['rows'])}" if batch["rows"] else ""
    return f"{batch['created'][:10]} {batch['state']}{rows}"


def show_outcome(outcome: TrainOutcome) -> None:
    version = outcome.model.get("version")
    print_table(f"{outcome.pipeline}: {outcome.status}", ["what", "value"], outcome_lines(outcome, version))
    if outcome.gates:
        print_table(
            "Gates", ["gate", "verdict", "reason"], ([g.name, g.verdict, g.reason] for g in outcome.gates)
        )
    for warning in outcome.warnings:
        out.print(f"Note: {warning}", markup=False)


def outcome_lines(outcome: TrainOutcome, version: object) -> Iterable[list[object]]:
    yield ["attempt", outcome.attempt]
    if outcome.reason:
        yield ["why", outcome.reason]
    yield ["model version", version or "not registered"]
    if outcome.dataset:
        yield ["snapshot", f"{outcome.dataset['id']}: {outcome.dataset['rows']:,} rows"]
        yield ["rows", RowCounts.model_validate({k: outcome.dataset[k] for k in RowCounts.model_fields})]
    yield ["metrics", ", ".join(f"{k} {v:.4g}" for k, v in outcome.metrics.items())]
    if outcome.champion_metrics:
        yield ["champion's metrics", ", ".join(f"{k} {v:.4g}" for k, v in outcome.champion_metrics.items())]
    if beside := outcome.compared_metrics:
        said = ", ".join(f"{k} {v:.4g}" for k, v in beside.items())
        yield [f"metrics on the champion's {outcome.compared_rows:,} rows", said]
    yield ["cause", outcome.cause]
    if outcome.cost:
        yield ["cost", describe_cost(outcome.cost)]
    yield ["seconds", ", ".join(f"{k} {v:.1f}" for k, v in outcome.seconds.items())]


def window_line(judgment: WindowJudgment) -> dict[str, Any]:
    """A window as `monitor --json` tells it."""
    measure = judgment.measure
    drifted = [c.column for c in measure.drift.columns if c.drifted] if measure.drift else []
    quality = measure.quality.model_dump() if measure.quality else None
    return {
        "start": measure.start.isoformat(),
        "end": measure.end.isoformat(),
        "rows": measure.rows,
        "labelled": measure.labelled,
        "version": measure.version,
        "verdict": judgment.verdict,
        "drifted": drifted,
        "quality": quality,
        "decision": judgment.decision,
        "reason": judgment.reason,
        "cause": judgment.cause,
    }


def show_windows(lines: list[dict[str, Any]]) -> None:
    if not lines:
        out.print(
            "No window is due: every one that is over has been judged on the rows and labels that are there."
        )
        return
    head = ["from", "rows", "version", "verdict", "decision", "reason"]
    rows = ([w["start"], w["rows"], w["version"], w["verdict"], w["decision"], w["reason"]] for w in lines)
    print_table("Windows", head, rows)
