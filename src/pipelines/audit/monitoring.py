"""Tests of what is watched in production."""

from __future__ import annotations

import math

from pipelines.audit.answers import NO_CHAMPION, Found, Proof, counted, of_champion, place_of
from pipelines.audit.data import describe_probe, place_of_batch
from pipelines.audit.evidence import Evidence, VersionEvidence
from pipelines.audit.infrastructure import gates_of
from pipelines.audit.model import DAY, place_of_window, with_quality
from pipelines.gates.words import listed
from pipelines.records import Evaluation, Footprint, WindowJudgment

# The rules that compare a batch with the last snapshot (see `validation.drift`).
AGAINST_BEFORE = {"column_is_like_before", "labels_agree_with_before"}
# A version that is so many times slower or larger than the one before it has regressed.
WORSE = 1.5


def dependencies(evidence: Evidence) -> Found:
    """New rows are held against the last snapshot, and the report says what is unlike before."""
    compared = [
        batch for batch in evidence.batches if AGAINST_BEFORE & {r.rule for r in batch.report.results}
    ]
    if not compared:
        return "no batch was compared with the snapshot before it"
    told = [b for b in compared if any(not r.passed for r in b.report.results if r.rule in AGAINST_BEFORE)]
    words = f"{counted(len(compared), 'batch')} compared with the snapshot before; {len(told)} unlike it"
    return Proof(words=words, place=place_of_batch(compared[-1]))


def invariants(evidence: Evidence) -> Found:
    """Rows for training are checked, and so are those that are served."""
    checked = [batch for batch in evidence.batches if batch.report.results]
    windows = with_drift(evidence)
    if not checked or not windows:
        return "no batch was checked" if not checked else "no window of served rows was measured"
    aside = sum(batch.report.quarantined for batch in checked)
    words = (
        f"{counted(len(checked), 'batch')} checked, {counted(aside, 'row')} set aside;"
        f" served rows measured in {counted(len(windows), 'window')}"
    )
    return Proof(words=words, place=f"{place_of_batch(checked[-1])}; {place_of_window(windows[-1])}")


def with_drift(evidence: Evidence) -> list[WindowJudgment]:
    return [w for w in evidence.windows if w.measure.drift and w.measure.drift.columns]


def skew(evidence: Evidence) -> Found:
    """What the champion is asked was compared, column by column, with what it learnt from."""
    if evidence.champion is None:
        return NO_CHAMPION
    version = evidence.champion.version
    windows = [w for w in with_drift(evidence) if w.measure.version == version]
    if not windows:
        return f"no window of version {version} was compared with its training rows"
    drift = windows[-1].measure.drift
    moved = sorted({c.column for c in drift.columns if c.drifted}) if drift else []
    columns = len({c.column for c in drift.columns}) if drift else 0
    words = (
        f"{counted(columns, 'column')} of what version {version} was asked, against what it learnt from,"
        f" in {counted(len(windows), 'window')}"
    )
    trouble = f"unlike in the last window: {listed(moved)}" if moved else None
    return Proof(words=words, place=place_of_window(windows[-1]), trouble=trouble)


def age(evidence: Evidence) -> Found:
    """Windows are judged with a decision on training again, and there is a reason that would start it."""
    if evidence.champion is None:
        return NO_CHAMPION
    version = evidence.champion.version
    mine = [w for w in evidence.windows if w.measure.version == version]
    windows = [w for w in mine if w.verdict != "insufficient"]
    if not evidence.retrains:
        return "the definition gives no reason to train again"
    if not windows:
        return f"no window of version {version} was judged"
    last, evaluation = windows[-1], evidence.champion.evaluation
    newest = evaluation.newest if evaluation else None
    days = f"{(last.measure.end - newest) / DAY:.0f} days after its newest row" if newest else "then"
    words = (
        f"version {version} was {last.verdict} {days}, decision {last.decision};"
        f" it is trained again for: {listed(evidence.retrains)}"
    )
    return Proof(words=words, place=f"{place_of_window(last)}; {evidence.places['retraining']}")


@of_champion
def stability(evidence: Evidence, version: VersionEvidence, evaluation: Evaluation) -> Found:
    """No input that was tried gives an answer which is no number, and no metric is without a value."""
    if not evaluation.probes:
        return f"version {version.version} was not asked about noise, gaps and extreme values"
    failed = [describe_probe(probe) for probe in evaluation.probes if probe.failure]
    failed += [] if evaluation.metric in evaluation.metrics else [evaluation.metric]
    failed += ["the training loss"] if any(not math.isfinite(loss) for loss in version.losses) else []
    words = (
        f"version {version.version} was asked about {counted(len(evaluation.probes), 'changed table')}:"
        " noise, gaps, extremes"
    )
    trouble = f"no finite number: {listed(failed)}" if failed else None
    return Proof(words=words, place=place_of(version), trouble=trouble)


@of_champion
def performance(evidence: Evidence, version: VersionEvidence, evaluation: Evaluation) -> Found:
    """Speed, memory and size of the champion, against the version before it or the bounds of a gate."""
    now, then = evaluation.footprint, footprint_of(evidence.before)
    if now is None:
        return f"speed and memory of version {version.version} were not measured"
    words = f"version {version.version}: {describe_footprint(now)}"
    if evidence.before is not None and then is not None:
        words += f"; version {evidence.before.version}: {describe_footprint(then)}"
        worse = worse_in(now, then)
        trouble = f"over {WORSE:g} times worse: {listed(worse)}" if worse else None
        return Proof(words=words, place=place_of(version), trouble=trouble)
    bounds = [gate.reason for gate in gates_of(evidence) if gate.name == "footprint"]
    if bounds:
        return Proof(words=f"{words}; {bounds[0]}", place=place_of(version))
    return f"{words}; there is no earlier version, and no gate, to hold it against"


def footprint_of(version: VersionEvidence | None) -> Footprint | None:
    return version.evaluation.footprint if version and version.evaluation else None


def describe_footprint(found: Footprint) -> str:
    return (
        f"a row in {found.latency_p50:.3g} ms, {found.rows_per_second:,.0f} rows/s,"
        f" {found.memory_bytes / 1e6:,.0f} MB"
    )


def worse_in(now: Footprint, then: Footprint) -> list[str]:
    pairs = {
        "latency": (now.latency_p50, then.latency_p50),
        "throughput": (then.rows_per_second, now.rows_per_second),
        "memory": (now.memory_bytes, then.memory_bytes),
        "size": (now.size_bytes, then.size_bytes),
    }
    return [name for name, (one, other) in pairs.items() if one > WORSE * other]


def quality(evidence: Evidence) -> Found:
    """The champion's metric on served rows whose labels came."""
    if evidence.champion is None:
        return NO_CHAMPION
    version = evidence.champion.version
    known = [(w, q) for w, q in with_quality(evidence.windows) if w.measure.version == version]
    if not known:
        return f"no labels of predictions of version {version} came"
    window, found = known[-1]
    words = (
        f"{found.metric} {found.realised.value:.4g} on {found.labelled:,} labelled rows, expected"
        f" {found.expected:.4g}; {counted(len(known), 'window')} of version {version}"
    )
    trouble = "the last window is degraded" if window.verdict == "degraded" else None
    return Proof(words=words, place=place_of_window(window), trouble=trouble)
