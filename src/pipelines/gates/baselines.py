"""Better than what needs no learning, beyond doubt, and no worse than a linear model."""

from __future__ import annotations

import math

from pipelines.config import ChampionGate, SimplerGate
from pipelines.gates.champion import LEAST, Question, amount, decide
from pipelines.gates.power import NORMAL
from pipelines.gates.words import number, span, worst
from pipelines.records import Baseline, Difference, Evaluation, GateVerdict, Verdict


def judge_baselines(evaluation: Evaluation, gate: ChampionGate) -> GateVerdict:
    """Whether the challenger is better than every baseline, each by a one-sided test at the champion's level.

    All of them must pass, so no correction for many tests is needed: each of them holds the level for all.
    A linear model needs learning, too: it keeps a challenger out only where that is worse, beyond doubt, by
    more than may be lost to the champion.
    """
    found = [judge_baseline(evaluation, baseline, gate) for baseline in evaluation.baselines]
    verdict = worst([verdict for verdict, _ in found])
    return GateVerdict(name="baseline", verdict=verdict, reason=" ".join(words for _, words in found))


def judge_baseline(evaluation: Evaluation, baseline: Baseline, gate: ChampionGate) -> tuple[Verdict, str]:
    difference = baseline.differences.get(evaluation.metric)
    if difference is None:
        return "inconclusive", f"{evaluation.metric} could not be compared with the {baseline.name}."
    if baseline.linear:
        return judge_linear(evaluation, baseline, difference, gate)
    return judge_trivial(evaluation, baseline, difference, gate.level)


def judge_trivial(
    evaluation: Evaluation, baseline: Baseline, difference: Difference, level: float
) -> tuple[Verdict, str]:
    metric, rows = evaluation.metric, difference.rows
    positive = baseline.metrics.get("pr_auc")  # of one score for all rows: the share of positive ones
    above = luck(rows, positive) if metric == "pr_auc" and positive else 0.0
    verdict = decide(difference, Question(above, effect=0.0, level=level, strict=True))
    unsure = verdict == "fail" and rows < LEAST
    if verdict == "pass" and metric == "auc" and positive:
        unsure = difference.value < -NORMAL.inv_cdf(level) * ranks_error(rows, positive)
    return "inconclusive" if unsure else verdict, against(evaluation, baseline, difference)


def ranks_error(rows: int, positive: float) -> float:
    """The standard error of the AUC of random scores (Mann and Whitney 1947), by the share of positive rows.

    Where the only two of them happen to stand on top, no resample has a doubt.
    """
    return math.sqrt((rows + 1) / (12 * rows * rows * positive * (1 - positive)))


def luck(rows: int, positive: float) -> float:
    """By how much the average precision of random scores lies above the share of positive rows, expected.

    At rank r it is (1 + (m - 1) (r - 1) / (n - 1)) / r, of m positive rows among n; the mean over ranks.
    """
    harmonic = sum(1 / rank for rank in range(1, rows + 1))
    among = (positive * rows - 1) / max(rows - 1, 1)
    return (harmonic + among * (rows - harmonic)) / rows - positive


def judge_linear(
    evaluation: Evaluation, baseline: Baseline, difference: Difference, gate: ChampionGate
) -> tuple[Verdict, str]:
    margin = amount(gate.margin, baseline.metrics[evaluation.metric])
    question = Question(above=-margin, effect=0.0, level=gate.level, strict=False, least=LEAST)
    verdict = decide(difference, question)
    words = f"{against(evaluation, baseline, difference)} It may be worse by {number(margin)}."
    return ("fail" if verdict == "fail" else "pass"), words


def against(evaluation: Evaluation, baseline: Baseline, difference: Difference) -> str:
    metric = evaluation.metric
    return (
        f"{metric} {number(evaluation.metrics[metric])} against {number(baseline.metrics[metric])}"
        f" ({baseline.name}); better by {span(difference)} on {difference.rows:,} rows."
    )


def judge_simpler(evaluation: Evaluation, gate: SimplerGate) -> GateVerdict:
    """Whether the challenger is better than a linear model by more than the margin, worth its complexity."""
    if evaluation.kind == "linear":
        reason = "The challenger is itself a linear model."
        return GateVerdict(name="simpler", verdict="pass", reason=reason)
    metric, linear = evaluation.metric, next((b for b in evaluation.baselines if b.linear), None)
    difference = linear.differences.get(metric) if linear else None
    if linear is None or difference is None:
        reason = f"{metric} could not be compared with a linear model."
        return GateVerdict(name="simpler", verdict="inconclusive", reason=reason)
    margin = amount(gate.margin, linear.metrics[metric])
    verdict = decide(difference, Question(above=margin, effect=0.0, level=gate.level, strict=True))
    rest = (
        ""
        if verdict == "pass"
        else " A linear model is as good, as far as these rows can tell: `model: linear`."
    )
    words = f"{against(evaluation, linear, difference)} It must be better by {number(margin)}.{rest}"
    return GateVerdict(name="simpler", verdict=verdict, reason=words)
