"""Better than what needs no learning, beyond doubt."""

from __future__ import annotations

from pipelines.gates.champion import Question, decide
from pipelines.gates.words import number, span
from pipelines.records import Baseline, Evaluation, GateVerdict, Verdict


def judge_baselines(evaluation: Evaluation, level: float) -> GateVerdict:
    """Whether the challenger is better than every baseline, each by a one-sided test at `level`.

    All of them must pass, so no correction for many tests is needed: each of them holds the level for all.
    """
    found = [judge_baseline(evaluation, baseline, level) for baseline in evaluation.baselines]
    verdicts = {verdict for verdict, _ in found}
    verdict: Verdict = next((v for v in ("fail", "inconclusive") if v in verdicts), "pass")
    return GateVerdict(name="baseline", verdict=verdict, reason=" ".join(words for _, words in found))


def judge_baseline(evaluation: Evaluation, baseline: Baseline, level: float) -> tuple[Verdict, str]:
    metric, difference = evaluation.metric, baseline.differences.get(evaluation.metric)
    if difference is None:
        return "inconclusive", f"{metric} could not be compared with the {baseline.name}."
    verdict = decide(difference, Question(above=0.0, effect=0.0, level=level, strict=True))
    words = (
        f"{metric} {number(evaluation.metrics[metric])} against {number(baseline.metrics[metric])}"
        f" ({baseline.name}); better by {span(difference)} on {difference.rows:,} rows."
    )
    return verdict, words
