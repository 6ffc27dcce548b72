"""The pipeline's metric on each named slice: within bounds, and no worse than the champion by a margin.

Two errors are possible, and each has the stated level over all slices together, for bounds as for the margin.
To pass, every slice must show by itself that it is no worse: a challenger that is worse on one of them passes
with that one's chance at most, so no correction is due (the intersection-union test of Berger 1982). To fail,
one slice that is shown to be worse is enough: with m slices each is asked at level / m (Bonferroni, the
first step of Holm's procedure), so that a challenger that is worse on none fails with a chance of the level
at most.

Slices that were found where the challenger is worst are shown, and not judged: they were chosen by what they
would be judged on.
"""

from __future__ import annotations

from pipelines.config import SliceGate
from pipelines.gates.champion import LEAST, Question, amount, decide
from pipelines.gates.thresholds import Bounds, needed, within
from pipelines.gates.words import number, span, worst
from pipelines.records import Evaluation, GateVerdict, SliceMetric, Verdict


def asks_anything(evaluation: Evaluation, gate: SliceGate) -> bool:
    """Whether there is a bound, or a champion to compare with."""
    bounded = gate.at_least is not None or gate.at_most is not None
    return bounded or (gate.margin is not None and evaluation.comparison is not None)


def judge_slices(evaluation: Evaluation, gate: SliceGate) -> GateVerdict:
    """Every named slice that has enough rows."""
    named = [part for part in evaluation.slices if not part.found]
    judged = [part for part in named if part.rows >= gate.least_rows]
    few = [part for part in named if part.rows < gate.least_rows]
    left = f" Not judged, for fewer than {gate.least_rows} rows: {list_few(few)}." if few else ""
    if not judged:
        words = f"No slice has {gate.least_rows} test rows.{left} Wait for more rows, or name larger slices."
        return GateVerdict(name="slices", verdict="inconclusive", reason=words)
    found = [judge_slice(evaluation, part, gate, len(judged)) for part in judged]
    verdict = worst([verdict for verdict, _ in found])
    said = " ".join(words for each, words in found if each != "pass") or f"All of {len(found)} slices pass."
    return GateVerdict(name="slices", verdict=verdict, reason=f"{said}{comparing(evaluation, gate)}{left}")


def judge_slice(
    evaluation: Evaluation, part: SliceMetric, gate: SliceGate, count: int
) -> tuple[Verdict, str]:
    """One slice, with what is wrong with it; nothing where it passes."""
    if part.interval is None:
        return "inconclusive", f"{part.name}: {evaluation.metric} has no value on {part.rows:,} rows."
    words = f"{part.name}: {evaluation.metric} {span(part.interval)} on {part.rows:,} rows"
    bounds = Bounds.stated(gate.at_least, gate.at_most)
    levels = gate.level, gate.level / count
    verdict = within(part.interval, part.rows, bounds, *levels)
    if verdict != "pass":
        lacks = needed(part.interval, part.interval.value, part.rows, bounds, *levels)
        return verdict, f"{words} ({bounds}).{lacks if verdict == 'inconclusive' else ''}"
    if gate.margin is None or evaluation.comparison is None:
        return "pass", ""
    if part.difference is None or part.champion is None:
        return "inconclusive", f"{part.name}: too few rows that the champion has not learnt."
    margin = amount(gate.margin, part.champion)
    verdict = decide_in(part, margin, gate.level, count)
    against = f"{number(part.champion)} of the champion: better by {span(part.difference)}"
    return verdict, f"{words}, against {against}, may be worse by {number(margin)}."


def decide_in(part: SliceMetric, margin: float, level: float, count: int) -> Verdict:
    """A pass at the level itself; a fail at the level that `count` slices share."""
    assert part.difference is not None  # noqa: S101  (the caller asked)
    passed = decide(part.difference, Question(-margin, 0.0, level, strict=False, least=LEAST))
    if passed == "pass":
        return "pass"
    return (
        "fail"
        if decide(part.difference, Question(-margin, 0.0, level / count, False, LEAST)) == "fail"
        else "inconclusive"
    )


def comparing(evaluation: Evaluation, gate: SliceGate) -> str:
    """What was asked of the comparison with the champion."""
    if gate.margin is None or evaluation.comparison is None:
        return ""
    margin = f"{100 * gate.margin.value:g} %" if gate.margin.share else number(gate.margin.value)
    return f" A slice may be worse than the champion's by {margin} (level {gate.level:g} for all together)."


def list_few(few: list[SliceMetric]) -> str:
    return ", ".join(f"{part.name} ({part.rows:,})" if part.rows else f"{part.name} (none)" for part in few)
