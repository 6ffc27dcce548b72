"""Tests of the infrastructure."""

from __future__ import annotations

from pipelines.audit.answers import NO_CHAMPION, Found, Proof, counted, of_champion, place_of
from pipelines.audit.evidence import Evidence, VersionEvidence
from pipelines.audit.model import place_of_window, with_quality
from pipelines.gates.words import listed
from pipelines.records import Evaluation, GateVerdict, Promotion


def reproduction(evidence: Evidence) -> Found:
    """A version was made again, and weights and metrics were the same."""
    if not evidence.reproductions:
        return "no version was made again"
    last = evidence.reproductions[-1]
    if not last.agrees:
        return f"version {last.version} was made again and is another, see entry {last.seq} of the audit log"
    words = f"version {last.version} was made again: the same weights bit for bit, the same metrics"
    return Proof(words=words, place=f"entry {last.seq} of the audit log, {last.time:%Y-%m-%d %H:%M} UTC")


@of_champion
def unit(evidence: Evidence, version: VersionEvidence, evaluation: Evaluation) -> Found:
    """What the definition asks for was built, learnt, was written to files and read by a clean process."""
    if evaluation.smoke_failure is not None:
        return f"version {version.version} did not load in a clean process: {evaluation.smoke_failure}"
    passed = {gate.name for gate in gates_of(evidence) if gate.verdict == "pass"}
    losses = version.losses
    fell = len(losses) > 1 and losses[-1] < losses[0]
    if not fell and "baseline" not in passed:
        return f"nothing says that version {version.version} has learnt: no falling loss, no baseline beaten"
    learnt = [f"its loss fell from {losses[0]:.4g} to {losses[-1]:.4g}"] if fell else []
    learnt += ["it is better than what needs no learning"] if "baseline" in passed else []
    words = f"version {version.version} gives the same answers in a clean process; {'; '.join(learnt)}"
    return Proof(words=words, place=place_of(version))


def gates_of(evidence: Evidence) -> list[GateVerdict]:
    """What the gates said of the champion."""
    champion = evidence.champion
    return champion.outcome.gates if champion and champion.outcome else []


def integration(evidence: Evidence) -> Found:
    """The whole way was gone: rows, checks, model, gates, promotion, predictions, labels, a judged window."""
    confirmed = [p for p in evidence.promotions if p.state == "confirmed" and p.cause is not None]
    if not confirmed:
        return "no training has ended with a confirmed promotion"
    served = {p.version for p in confirmed}
    windows = [w for w, _ in with_quality(evidence.windows) if w.measure.version in served]
    if not windows:
        return "no window of served predictions with labels closes the loop"
    words = (
        f"{counted(len(confirmed), 'training')} from new rows to a confirmed promotion;"
        f" {counted(len(windows), 'window')} of their predictions judged with labels"
    )
    judged = [p for p in confirmed if p.version == windows[-1].measure.version][-1]
    return Proof(words=words, place=f"attempt {judged.attempt}; {place_of_window(windows[-1])}")


def gates(evidence: Evidence) -> Found:
    """The champion passed every gate before it was served."""
    if evidence.reign is None or evidence.champion is None:
        return NO_CHAMPION
    found, version = gates_of(evidence), evidence.champion.version
    failed = [gate.name for gate in found if gate.verdict != "pass"]
    if not found or failed:
        reason = f"not passed: {listed(failed)}" if failed else "no gate judged it"
        return f"version {version} is champion, {reason}"
    words = f"version {version} passed {listed([gate.name for gate in found], 8)}"
    return Proof(words=words, place=f"{evidence.champion.run}, gates.json; {evidence.places['gates']}")


@of_champion
def debugging(evidence: Evidence, version: VersionEvidence, evaluation: Evaluation) -> Found:
    """One prediction can be followed back by its id, and what it rests on can be said."""
    logged = evidence.predictions.get(version.version, 0)
    explained = [one for one in evaluation.importances if one.shapley is not None]
    if not logged:
        return f"no prediction of version {version.version} is in the log"
    if not explained:
        return f"no Shapley values of version {version.version} were computed"
    words = (
        f"{counted(logged, 'prediction')} of version {version.version} logged with inputs and ids, which"
        f" `evergreen trace` follows back; Shapley values of {counted(len(explained), 'feature')}"
    )
    return Proof(words=words, place=place_of(version))


def canary(evidence: Evidence) -> Found:
    """A part of the live requests went to a version before all of them did."""
    if evidence.reign is None:
        return NO_CHAMPION
    return "no version has answered a part of the live requests before it answered all of them"


def rollback(evidence: Evidence) -> Found:
    """An earlier champion was brought back: by the service's watch, or by a person."""
    undone = [p for p in evidence.promotions if p.seq in evidence.taken_back and p.previous]
    if undone:
        last = undone[-1]
        words = (
            f"version {last.version} was undone by itself, version {last.previous} served on: {last.undone}"
        )
        return Proof(words=words, place=place_of_promotion(last))
    back = returns(evidence.promotions)
    if not back:
        return "no earlier champion was ever brought back"
    last = back[-1]
    seconds = (last.settled - last.since).total_seconds() if last.settled else 0.0
    words = f"{last.approved_by or 'somebody'} brought version {last.version} back in {seconds:.1f} s"
    return Proof(words=words, place=place_of_promotion(last), by_hand=True)


def returns(promotions: list[Promotion]) -> list[Promotion]:
    """Confirmed promotions of versions that had been champion before."""
    seen, found = set[int](), []
    for one in promotions:
        if one.state == "confirmed" and one.version in seen:
            found.append(one)
        seen |= {one.version} if one.state == "confirmed" else set()
    return found


def place_of_promotion(promotion: Promotion) -> str:
    return f"promotion {promotion.seq} of the ledger, {promotion.since:%Y-%m-%d %H:%M} UTC"
