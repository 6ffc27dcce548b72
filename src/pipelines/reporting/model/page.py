"""The page of a model: one HTML file that fetches nothing, everything from outside escaped."""

from __future__ import annotations

import math
from collections import Counter

from pipelines.costs import describe_cost
from pipelines.gates import overall
from pipelines.records import Evaluation, Footprint, Interval, Plots
from pipelines.reporting import words
from pipelines.reporting.model.confusion import confusion_view
from pipelines.reporting.model.curves import calibration_figure, pr_figure, roc_figure
from pipelines.reporting.model.errors import histogram_figure, scatter_figure
from pipelines.reporting.model.figures import Figure
from pipelines.reporting.model.groups import fairness_view, slice_view
from pipelines.reporting.model.inputs import importance_view, probe_view
from pipelines.reporting.model.judged import difference_lines, metric_lines
from pipelines.reporting.model.story import Fact, ModelStory
from pipelines.reporting.model.strips import Point
from pipelines.reporting.model.strips import words as point_words
from pipelines.reporting.templates import page_template

VERDICTS = {  # class, symbol and words, so that nothing is said by colour alone
    "pass": ("pass", "✓", "passes"),
    "fail": ("fail", "✕", "kept out"),
    "inconclusive": ("inconclusive", "?", "undecided"),
}
GATES = {"pass": ("✓", "pass"), "fail": ("✕", "fail"), "inconclusive": ("?", "inconclusive")}
ORDER = ("fail", "inconclusive", "pass")


def render_model(story: ModelStory) -> str:
    """The story as one HTML page; a part of which nothing was measured is not on it."""
    evaluation = story.evaluation
    return page_template("pipelines.reporting.model", "model.html.j2").render(
        story=story,
        evaluation=evaluation,
        title=title_of(story),
        verdict=VERDICTS[overall(story.gates)],
        state=state_sentence(story),
        tiles=tiles(story),
        gate_words=GATES,
        gates=sorted(story.gates, key=lambda gate: ORDER.index(gate.verdict)),
        metrics=metric_lines(evaluation),
        differences=difference_lines(evaluation),
        figures=all_figures(evaluation),
        drawn=count_drawn(evaluation.plots),
        confusion=confusion_view(evaluation.plots.confusion),
        slices=slice_view(evaluation),
        fairness=[fairness_view(found) for found in evaluation.fairness if found.groups],
        importances=importance_view(evaluation.importances),
        probes=probe_view(evaluation.probes, evaluation.task),
        footprint=footprint_tiles(evaluation.footprint) if evaluation.footprint else [],
        facts=[*story.facts, *further_facts(story)],
    )


def all_figures(evaluation: Evaluation) -> list[Figure]:
    """The plots that there is something to draw of."""
    plots = evaluation.plots
    found = [
        roc_figure(plots.roc),
        pr_figure(plots.pr),
        calibration_figure(plots.calibration, evaluation.task),
        histogram_figure(plots.residual_bins),
        scatter_figure(plots.residuals),
    ]
    return [figure for figure in found if figure is not None]


def count_drawn(plots: Plots) -> int:
    """Of how many test rows the plots are."""
    if plots.calibration is not None:
        return sum(plots.calibration.rows)
    return round(sum(plots.residual_bins.y)) if plots.residual_bins is not None else 0


def title_of(story: ModelStory) -> str:
    name = f"version {story.version}" if story.version is not None else f"attempt {story.evaluation.attempt}"
    return f"{story.pipeline}, {name}"


def state_sentence(story: ModelStory) -> str:
    """What the gates made of it, and where it stands now."""
    counts = Counter(gate.verdict for gate in story.gates)
    total = f"{len(story.gates)} gate{'' if len(story.gates) == 1 else 's'}"
    if not story.gates:
        said = "No gate has judged it"
    elif counts["pass"] == len(story.gates):
        said = f"All {total} passed" if len(story.gates) > 1 else "Its only gate passed"
    else:
        parts = [(counts["fail"], "failed"), (counts["inconclusive"], "could not decide")]
        said = f"Of {total} " + ", ".join(f"{count} {words}" for count, words in parts if count)
    return f"{said}{standing(story)}."


def standing(story: ModelStory) -> str:
    """Since when it was champion, where it was promoted."""
    promotion = story.promotion
    if promotion is None:
        return "; it waits for a person to approve it" if story.waiting else ""
    if promotion.state == "reverted":
        return f"; its promotion was undone: {promotion.undone or 'no reason is known'}"
    since = words.moment(promotion.since)
    if promotion.until is None:
        return f"; champion since {since}"
    return f"; champion from {since} until {words.moment(promotion.until)}"


# -------------------------------------------------------------------------------------------------- tiles


def tiles(story: ModelStory) -> list[tuple[str, str, str]]:
    """The few numbers that are read first: name, number, explanation."""
    evaluation = story.evaluation
    found = [metric_tile(evaluation)]
    compared = evaluation.comparison
    if compared and (difference := compared.differences.get(evaluation.metric)):
        found.append(
            difference_tile(f"better than the champion, version {compared.champion_version}", difference)
        )
    found += [
        difference_tile(f"better than {baseline.name}", difference)
        for baseline in evaluation.baselines
        if (difference := baseline.differences.get(evaluation.metric))
    ]
    rows = f"{evaluation.rows:,}"
    return [*found[:3], ("test rows", rows, "held back, never seen in training")]


def metric_tile(evaluation: Evaluation) -> tuple[str, str, str]:
    value = evaluation.metrics.get(evaluation.metric, math.nan)
    known = evaluation.intervals.get(evaluation.metric)
    point = Point(value, known.low, known.high) if known else Point(value)
    number, interval = point_words(point)
    return evaluation.metric, number, f"95 % interval {interval}" if interval else "no interval is known"


def difference_tile(name: str, difference: Interval) -> tuple[str, str, str]:
    value, interval = point_words(Point(difference.value, difference.low, difference.high))
    sign = "+" if difference.value > 0 else ""
    return name, f"{sign}{value}", f"95 % interval {interval}" if interval else "no interval is known"


def footprint_tiles(found: Footprint) -> list[tuple[str, str, str]]:
    """What the model needs where it answers."""
    return [
        (
            "one row",
            f"{words.number(found.latency_p50)} ms",
            f"99th percentile {words.number(found.latency_p99)} ms",
        ),
        ("many rows", f"{found.rows_per_second:,.0f} /s", "rows a second, a thousand at a time"),
        ("memory", words.size(found.memory_bytes), "added by loading it, libraries included"),
        (
            "size",
            words.size(found.size_bytes),
            f"of its files; loaded in {words.number(found.load_seconds)} s",
        ),
    ]


def further_facts(story: ModelStory) -> list[Fact]:
    """What it cost, and how long each stage took."""
    found = []
    if story.cost and story.cost.processes:
        found.append(Fact(name="cost", value=describe_cost(story.cost)))
    if story.seconds:
        laps = ", ".join(f"{name} {words.number(seconds)}" for name, seconds in story.seconds.items())
        found.append(Fact(name="seconds by stage", value=laps))
    return found
