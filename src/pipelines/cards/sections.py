"""The sections of a model card, as words and tables: Markdown and HTML show the same."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.cards.card import ModelCard
from pipelines.config.searching import OF_MODEL
from pipelines.costs import describe_cost
from pipelines.records import Difference, Evaluation, Interval, Promotion, Rate, Record
from pipelines.reporting.words import moment, number

NOBODY = "Nobody has written any: `evaluation.{}` in the definition is the place."
NOT_MEASURED = "Not measured."
MOST_SOURCES = 4
MOST_PROBES = 8
MOST_FEATURES = 60


class Section(Record):
    """A title, sentences, and a table where `head` names its columns."""

    title: str
    words: list[str] = []
    head: list[str] = []
    rows: list[list[str]] = []


def card_sections(card: ModelCard) -> list[Section]:
    """The card from top to bottom; what was not measured says so."""
    evaluation = card.version.evaluation
    parts = [details(card), use(card), training_data(card)]
    if evaluation is None:
        parts.append(Section(title="Evaluation", words=["The attempt's folder does not have it any more."]))
    else:
        parts += [
            evaluation_data(card, evaluation),
            metrics(evaluation),
            slices(evaluation),
            fairness(evaluation),
            robustness(evaluation),
            importances(evaluation),
            footprint(evaluation),
        ]
    return [*parts, gates(card), limits(card), lineage(card), decisions(card)]


def details(card: ModelCard) -> Section:
    version, config = card.version, card.version.config
    model = config.get("model", {})
    kind = "own" if ":" in version.kind else version.kind
    settings = ", ".join(
        f"{k} {v}" for k, v in model.items() if kind in OF_MODEL.get(k, ()) and v is not None
    )
    rows = [
        ["kind", version.kind],
        ["task", f"{config.get('task', '')}: {card.target}"],
        ["trained", moment(version.started) + " UTC"],
        ["settings", settings or "none"],
        ["tuning", f"{version.trials} trials" if version.trials else "none"],
        ["cost", describe_cost(version.cost) or "unknown"],
    ]
    return Section(title="Model details", head=["what", "value"], rows=rows)


def use(card: ModelCard) -> Section:
    return Section(title="Intended use", words=card.intended_use or [NOBODY.format("intended_use")])


def training_data(card: ModelCard) -> Section:
    snapshot, more = card.version.attempt.snapshot, len(card.sources) - MOST_SOURCES
    names = [uri.rstrip("/").rpartition("/")[2] for uri in card.sources[:MOST_SOURCES]]
    sources = ", ".join(names) + (f" and {more} more" if more > 0 else "")
    words = [
        f"Snapshot {snapshot.id}: {snapshot.rows:,} rows, content {snapshot.fingerprint}.",
        f"Of {card.batches:,} {'batch' if card.batches == 1 else 'batches'}: {card.rows}.",
        f"Sources: {sources}." if sources else "The sources are not known.",
        f"It reads {len(card.types)} columns and foretells {card.target}.",
    ]
    rows = [[name, kind] for name, kind in card.types.items()]
    return Section(title="Training data", words=words, head=["column", "type"] if rows else [], rows=rows)


def evaluation_data(card: ModelCard, evaluation: Evaluation) -> Section:
    split = card.version.config.get("split", {})
    share, by = split.get("test", 0.0), split.get("by", "random")
    chosen = {"time": "the latest", "group": "of entities chosen at random"}.get(by, "chosen at random")
    words = [f"{evaluation.rows:,} rows that it has not learnt from: {share:.3g} of all, {chosen}."]
    if evaluation.newest:
        words.append(f"The newest row of the snapshot is of {moment(evaluation.newest)}.")
    return Section(title="Evaluation data", words=words)


def metrics(evaluation: Evaluation) -> Section:
    """Each metric with its 95 % interval, beside the baselines' and, on the rows of both, the champion's."""
    others = {b.name: (b.metrics, b.differences) for b in evaluation.baselines}
    words = []
    if (met := evaluation.comparison) is not None:
        on = f", on {met.rows:,} rows" if met.beside else ""
        others |= {f"this version{on}": (met.beside, {})} if on else {}
        others[f"champion, version {met.champion_version}{on}"] = (met.champion_metrics, met.differences)
        words.append(f"Compared with the champion on {met.rows:,} rows; {met.left_out:,} it had learnt from.")
    if evaluation.no_comparison is not None:
        words.append(f"Not compared with the champion: {evaluation.no_comparison.reason}")
    rows = [
        [
            name,
            interval_words(evaluation.intervals.get(name), value),
            *(against(name, *other) for other in others.values()),
        ]
        for name, value in evaluation.metrics.items()
    ]
    return Section(title="Metrics", words=words, head=["metric", "this version", *others], rows=rows)


def against(name: str, values: dict[str, float], differences: dict[str, Difference]) -> str:
    """Another model's metric, and by how much this one is better."""
    if name not in values:
        return ""
    difference = differences.get(name)
    return number(values[name]) + (f"; better by {interval_words(difference)}" if difference else "")


def interval_words(interval: Interval | None, value: float | None = None) -> str:
    """`12.3 (95 % from 11.9 to 12.8)`."""
    if interval is None:
        return "" if value is None else number(value)
    return f"{number(interval.value)} (95 % from {number(interval.low)} to {number(interval.high)})"


def slices(evaluation: Evaluation) -> Section:
    rows = [
        [
            one.name,
            "found, worse than elsewhere" if one.found else "named",
            one.size,
            interval_words(one.interval) or "no value",
            interval_words(one.difference) if one.difference else "",
        ]
        for one in evaluation.slices
    ]
    head = ["slice", "why", "rows", evaluation.metric, "better than the champion by"]
    return table("Slices", head, rows)


def table(title: str, head: list[str], rows: list[list[str]], words: list[str] | None = None) -> Section:
    """A table, or that there is nothing to put into it."""
    return (
        Section(title=title, words=words or [], head=head, rows=rows)
        if rows
        else Section(title=title, words=[NOT_MEASURED])
    )


def fairness(evaluation: Evaluation) -> Section:
    rows = [
        [
            one.column,
            group.group,
            f"{group.rows:,}",
            *map(rate_words, (group.selection, group.true_positive, group.false_positive, group.calibration)),
        ]
        for one in evaluation.fairness
        for group in one.groups
    ]
    rates = ["selected", "true positives", "false positives", "probability less frequency"]
    words = [
        f"{one.column}: lowest over highest selection rate {rate_words(one.selection_ratio) or 'unknown'};"
        f" widest difference of true or false positives {rate_words(one.odds_difference) or 'unknown'}."
        for one in evaluation.fairness
    ]
    return table("Fairness", ["column", "group", "rows", *rates], rows, words)


def rate_words(rate: Rate | None) -> str:
    return "" if rate is None else f"{rate.value:.3f} ± {2 * rate.error:.3f}"


def robustness(evaluation: Evaluation) -> Section:
    """What could not be answered, then what moved the answers most."""
    probes = sorted(evaluation.probes, key=lambda p: (p.failure is None, -(p.change or 0.0)))
    rows = [[p.name, p.column or "all", p.failure or number(p.change or 0.0)] for p in probes[:MOST_PROBES]]
    unit = "standard deviations of the answers" if evaluation.task == "regression" else "probability"
    words = [f"{len(probes)} changed tables were tried; these moved the answers most, in {unit}."]
    return table("Robustness", ["what was changed", "column", "mean change of the answers"], rows, words)


def importances(evaluation: Evaluation) -> Section:
    rows = [
        [
            one.column,
            "" if one.permutation is None else f"{number(one.permutation)} ± {number(2 * one.deviation)}",
            "" if one.shapley is None else number(one.shapley),
            "" if one.alone is None else f"{one.alone:.2f}",
        ]
        for one in evaluation.importances[:MOST_FEATURES]
    ]
    head = ["column", f"{evaluation.metric} lost without it", "mean absolute Shapley value", "tells alone"]
    count = len(evaluation.importances)
    words = [f"The first {len(rows)} of {count} columns."] if count > len(rows) else []
    return table("What it rests on", head, rows, words)


def footprint(evaluation: Evaluation) -> Section:
    found = evaluation.footprint
    if found is None:
        return Section(title="Footprint", words=[evaluation.smoke_failure or NOT_MEASURED])
    words = (
        f"In a clean process: loaded in {found.load_seconds:.2f} s, one row in {found.latency_p50:.3g} ms"
        f" (99 % within {found.latency_p99:.3g} ms), {found.rows_per_second:,.0f} rows/s,"
        f" {found.memory_bytes / 1e6:,.0f} MB of memory, {found.size_bytes / 1e6:.3g} MB on disk."
    )
    return Section(title="Footprint", words=[words])


def gates(card: ModelCard) -> Section:
    found = card.version.outcome.gates if card.version.outcome else []
    rows = [[gate.name, gate.verdict, gate.reason] for gate in found]
    return table("Gates", ["gate", "verdict", "reason"], rows)


def limits(card: ModelCard) -> Section:
    return Section(title="Limits", words=[*(card.limits or [NOBODY.format("limits")]), *known_limits(card)])


def known_limits(card: ModelCard) -> Iterator[str]:
    """What the evaluation itself has found."""
    evaluation = card.version.evaluation
    if evaluation is None:
        return
    for one in evaluation.slices:
        if one.found:
            yield f"Found: worse than elsewhere where {one.name} ({one.size} test rows)."
    for probe in evaluation.probes:
        if probe.failure:
            yield f"Found: no answer to {probe.name} {probe.column or ''}: {probe.failure}."


def lineage(card: ModelCard) -> Section:
    version = card.version
    outcome = version.outcome
    again = [f"{r.time:%Y-%m-%d}: {'the same' if r.agrees else 'another'}" for r in card.reproductions]
    rows = [
        ["cause", f"{version.cause.kind}: {version.cause.reason}" if version.cause else "unknown"],
        ["snapshot", version.attempt.snapshot.id],
        ["attempt", version.attempt.id],
        ["MLflow run", str(outcome.model.get("run_id", "")) if outcome else ""],
        ["code", str(version.environment.get("commit") or "no repository")],
        ["packages", ", ".join(f"{k} {v}" for k, v in version.environment.get("packages", {}).items())],
        ["made again", "; ".join(again) or "never"],
    ]
    return Section(title="Lineage", head=["what", "value"], rows=rows)


def decisions(card: ModelCard) -> Section:
    """Who decided what, and when it was champion."""
    words = []
    if (asked := card.approval) is not None:
        who = f" by {asked.by}: {asked.reason}" if asked.by else ""
        words.append(f"A person was asked: {asked.state}{who}.")
    rows = [
        [
            moment(p.since) + " UTC",
            moment(p.until) + " UTC" if p.until else "",
            p.state,
            decided_by(p),
            p.undone or p.why,
        ]
        for p in card.version.reigns
    ]
    if not rows:
        words.append("It never was champion.")
    head = ["since", "until", "promotion", "who decided", "why"]
    return Section(title="Decisions", words=words, head=head if rows else [], rows=rows)


def decided_by(promotion: Promotion) -> str:
    """A training that promotes has a cause; without one it was a person, named or not."""
    return promotion.approved_by or ("the gates" if promotion.cause else "a person")


def reign_words(reigns: list[Promotion]) -> str:
    """When a version was champion last, in a few words."""
    held = [p for p in reigns if p.state != "reverted"]
    if not held:
        return "never champion"
    since, until = moment(held[-1].since), held[-1].until
    return f"champion from {since} until {moment(until)} UTC" if until else f"champion since {since} UTC"
