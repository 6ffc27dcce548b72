"""Tests of the model and its development."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import timedelta

from pipelines.audit.answers import NO_CHAMPION, Found, Proof, counted, of_champion, place_of
from pipelines.audit.evidence import Evidence, VersionEvidence
from pipelines.gates.words import listed
from pipelines.records import Evaluation, Quality, WindowJudgment

DAY = timedelta(days=1)


def specification(evidence: Evidence) -> Found:
    """A person approved the version before it became champion, since the definition asks for one."""
    reign = evidence.reign
    if reign is None:
        return NO_CHAMPION
    # A rollback by hand has no cause: what counts is that the version once waited, and was approved.
    asked = [
        p
        for p in evidence.promotions
        if p.version == reign.version and p.state != "reverted" and p.approved_by and p.cause is not None
    ]
    if not asked:
        return "nobody approved the champion, and no review of the definition is declared"
    given = asked[-1]
    words = f"version {given.version} waited for a person, and {given.approved_by} approved it: {given.why}"
    return Proof(words=words, place=f"attempt {given.attempt}; {evidence.places['gates']}")


def correlation(evidence: Evidence) -> Found:
    """The metric that was measured before serving, beside the one on served rows whose labels came."""
    known = with_quality(evidence.windows)
    versions: dict[int, list[Quality]] = defaultdict(list)
    for window, quality in known:
        versions[window.measure.version].append(quality)
    if max(map(len, versions.values()), default=0) < 2:
        return f"{counted(len(known), 'window')} with labels; it takes two of one version to compare"
    told = [
        f"version {version}: expected {found[-1].expected:.4g}, realised"
        f" {sum(q.realised.value for q in found) / len(found):.4g} in {counted(len(found), 'window')}"
        for version, found in sorted(versions.items())
    ]
    words = f"{known[-1][1].metric}; {'; '.join(told[-3:])}"
    worse = sum(window.verdict == "degraded" for window, _ in known)
    trouble = f"worse than expected in {worse} of {counted(len(known), 'window')}" if worse else None
    return Proof(words=words, place=place_of_window(known[-1][0]), trouble=trouble)


def with_quality(windows: list[WindowJudgment]) -> list[tuple[WindowJudgment, Quality]]:
    """Those whose realised metric is known."""
    found = [(w, w.measure.quality) for w in windows if w.measure.quality]
    return [(w, q) for w, q in found if math.isfinite(q.realised.value)]


def place_of_window(window: WindowJudgment) -> str:
    report = window.measure.drift.report if window.measure.drift else None
    return f"window from {window.measure.start:%Y-%m-%d %H:%M}" + (f", {report}" if report else "")


def tuning(evidence: Evidence) -> Found:
    """Settings were searched for, or kinds of model tried, in the champion's own attempt."""
    version = evidence.champion
    if version is None:
        return NO_CHAMPION
    if version.trials:
        words = f"{counted(version.trials, 'trial')} before version {version.version} was trained"
        return Proof(words=words, place=f"{version.attempt.folder}/trials.jsonl; {version.run}")
    if version.config.get("model", {}).get("kind") == "auto":
        words = f"kinds of model were tried on the validation part, {version.kind} was taken"
        return Proof(words=words, place=f"{version.attempt.folder}/log; {version.run}")
    return f"version {version.version} was trained with settings that the definition fixes"


def staleness(evidence: Evidence) -> Found:
    """How good one version was at several ages."""
    ages: dict[int, list[tuple[float, Quality]]] = defaultdict(list)
    known = with_quality(evidence.windows)
    starts = {w.measure.version: w.measure.start for w, _ in reversed(known)}
    for window, quality in known:
        age = (window.measure.start - starts[window.measure.version]) / DAY
        ages[window.measure.version].append((age, quality))
    version, found = max(ages.items(), key=lambda item: len(item[1]), default=(None, []))
    if len(found) < 2:
        return "no version was measured at two ages, on served rows with labels"
    told = ", ".join(f"{quality.realised.value:.4g} after {age:.0f} days" for age, quality in found[-4:])
    words = f"{found[0][1].metric} of version {version}, by days since its first window: {told}"
    last = [window for window, _ in known if window.measure.version == version][-1]
    return Proof(words=words, place=place_of_window(last))


@of_champion
def simpler(evidence: Evidence, version: VersionEvidence, evaluation: Evaluation) -> Found:
    """The champion was measured against a linear model, learnt from the same rows."""
    plain = [one for one in evaluation.baselines if one.linear]
    if version.kind == "linear":
        plain = evaluation.baselines  # nothing simpler that learns
    known = [one for one in plain if evaluation.metric in one.differences]
    if not known:
        return f"version {version.version} was not compared with a linear model"
    difference, name = known[0].differences[evaluation.metric], known[0].name
    words = (
        f"version {version.version} is better than the {name} by {difference.value:.4g} {evaluation.metric},"
        f" 95 % from {difference.low:.4g} to {difference.high:.4g}"
    )
    trouble = None if difference.low > 0 else f"the {name} may be as good; take the simpler one"
    return Proof(words=words, place=place_of(version), trouble=trouble)


@of_champion
def slices(evidence: Evidence, version: VersionEvidence, evaluation: Evaluation) -> Found:
    """Quality was measured on parts of the data, named or found."""
    known = [one for one in evaluation.slices if one.interval]
    if not known:
        return f"version {version.version} was measured on all rows alone"
    named = [one.name for one in known if not one.found]
    worst = [one.name for one in known if one.found]
    words = f"{evaluation.metric} on {counted(len(known), 'slice')}: {listed([*named, *worst])}"
    trouble = f"worse than elsewhere, beyond chance: {listed(worst)}" if worst else None
    return Proof(words=words, place=place_of(version), trouble=trouble)


@of_champion
def inclusion(evidence: Evidence, version: VersionEvidence, evaluation: Evaluation) -> Found:
    """How groups of people are treated was measured."""
    compared = [one for one in evaluation.fairness if one.groups]
    if not compared:
        return f"no groups of people were compared in the evaluation of version {version.version}"
    told = [
        f"{one.column}: selection ratio {one.selection_ratio.value:.2f}"
        if one.selection_ratio
        else f"{one.column}: {counted(len(one.groups), 'group')}"
        for one in compared
    ]
    return Proof(words=f"version {version.version}, {'; '.join(told)}", place=place_of(version))
