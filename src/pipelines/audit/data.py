"""Tests of features and data."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from pipelines.audit.answers import NO_CHAMPION, Found, Proof, counted, of_champion, place_of
from pipelines.audit.evidence import Evidence, JudgedBatch, VersionEvidence
from pipelines.gates.words import listed
from pipelines.records import Evaluation, Importance, Probe

CERTAIN = 2.0  # standard deviations of a permutation importance, below which it may be chance


def schema(evidence: Evidence) -> Found:
    """Expectations are written down as types and checks, and batches were judged by them."""
    checked = [batch for batch in evidence.batches if batch.report.results]
    if not checked:
        return "no batch was judged by a check"
    rules = len(checked[-1].report.results)
    words = f"{counted(len(checked), 'batch')} judged, the last one by {counted(rules, 'rule')}"
    return Proof(words=words, place=f"{place_of_batch(checked[-1])}; {evidence.places['columns']}")


def place_of_batch(batch: JudgedBatch) -> str:
    return f"batch {batch.report.batch}" + (f", {batch.page}" if batch.page else "")


@of_champion
def benefit(evidence: Evidence, version: VersionEvidence, evaluation: Evaluation) -> Found:
    """How much worse the champion is without its features was measured, of very many of the likely ones."""
    if not version.inputs:
        return unknown_inputs(version)
    ranked = {one.column for one in evaluation.importances}
    known = {one.column: one for one in evaluation.importances if one.permutation is not None}
    unknown = [name for name in version.inputs if name not in ranked]
    if not known or unknown:
        return f"the permutation importance was not measured of {listed(unknown) or 'any feature'}"
    idle = [name for name, one in known.items() if not is_beneficial(one)]
    words = f"permutation importance of {counted(len(known), 'feature')} of version {version.version}"
    words += f", those of {len(ranked)} that tell the most alone" if len(known) < len(ranked) else ""
    trouble = f"no benefit beyond chance: {listed(idle)}; leave them out, or find out why" if idle else None
    return Proof(words=words, place=place_of(version), trouble=trouble)


def unknown_inputs(version: VersionEvidence) -> str:
    return f"what version {version.version} reads is not known: its files are gone from the attempt's folder"


def is_beneficial(one: Importance) -> bool:
    return one.permutation is not None and one.permutation > max(0.0, CERTAIN * one.deviation)


@of_champion
def policy(evidence: Evidence, version: VersionEvidence, evaluation: Evaluation) -> Found:
    """The champion reads declared columns alone, and it was looked for one that gives the target away."""
    if not version.inputs:
        return unknown_inputs(version)
    alone = {one.column: one.alone for one in evaluation.importances if one.alone is not None}
    types = {name: one.get("type") for name, one in version.config.get("columns", {}).items()}
    unknown = [name for name in version.inputs if name not in alone and types.get(name) != "time"]
    if unknown or not alone:
        return f"whether one feature does nearly all was not measured of {listed(unknown) or 'any'}"
    others = [name for name in version.inputs if name not in evidence.declared]
    most = max(alone, key=lambda name: alone[name])
    words = (
        f"version {version.version} reads {counted(len(version.inputs), 'declared column')};"
        f" {most} tells most of the target by itself, {alone[most]:.2f} of 1"
    )
    trouble = f"not declared any more: {listed(others)}" if others else None
    return Proof(words=words, place=f"{place_of(version)}; {evidence.places['columns']}", trouble=trouble)


def additions(evidence: Evidence) -> Found:
    """A feature was added since the first version, and a model with it became champion."""
    reigned = {p.version for p in evidence.promotions if p.state == "confirmed"}
    versions = [v for v in evidence.versions if v.version in reigned]
    added = [(new, sorted(used(new) - used(old))) for old, new in pairwise(versions) if used(new) - used(old)]
    if not added:
        return "no champion has had a feature that the one before it did not have"
    version, names = added[-1]
    taken = (version.reigns[0].since - version.started).total_seconds()
    words = f"version {version.version} brought {listed(names)}, {taken:,.0f} s after its training began"
    return Proof(words=words, place=version.attempt.id)


def used(version: VersionEvidence) -> set[str]:
    """The features in the definition that a version was trained by, as `PipelineConfig.feature_columns`."""
    columns: dict[str, Any] = version.config.get("columns", {})
    data: dict[str, Any] = version.config.get("data", {})
    texts = version.config.get("features") is not None
    taken = {
        name for name, one in columns.items() if one.get("use", True) and (texts or one.get("type") != "text")
    }
    return taken - {data.get("target"), data.get("timestamp")}


@of_champion
def feature_code(evidence: Evidence, version: VersionEvidence, evaluation: Evaluation) -> Found:
    """The code that makes features answered golden rows, gaps and extremes, in a clean process and here."""
    if not evaluation.probes:
        return f"version {version.version} was not asked about gaps and extreme values"
    if evaluation.smoke_failure is not None:
        return f"version {version.version} did not load in a clean process: {evaluation.smoke_failure}"
    failed = [describe_probe(probe) for probe in evaluation.probes if probe.failure]
    words = (
        f"features of version {version.version} are the same in a clean process, and were made of"
        f" {counted(len(evaluation.probes), 'changed table')}: gaps and extremes in each column"
    )
    trouble = f"no answer to: {listed(failed)}" if failed else None
    return Proof(words=words, place=place_of(version), trouble=trouble)


def describe_probe(probe: Probe) -> str:
    return f"{probe.name} {probe.column}" if probe.column else probe.name


def by_hand_alone(evidence: Evidence) -> Found:
    """What only a person can look at."""
    return "nobody has declared a review" if evidence.champion else f"{NO_CHAMPION}, and no review"
