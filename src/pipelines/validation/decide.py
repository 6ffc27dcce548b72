"""What becomes of a batch, from what its checks counted: a pure function of small values."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.records import OnFailure, RuleResult

EXAMPLES = 5
# A share says little of a handful of rows: under this many, only a batch of nothing but bad rows is refused.
FEWEST_FOR_SHARE = 20


@dataclass(frozen=True)
class Finding:
    """What one check found.

    `unexpected` counts the rows that fail, `examples` are values of some of them in words; None where the
    rule is about the whole batch, which then has `observed`. `error`: why the check itself could not run.
    """

    rule: str
    column: str | None
    on_failure: OnFailure
    expected: str
    passed: bool
    unexpected: int | None = None
    examples: tuple[str, ...] = ()
    observed: str = ""
    error: str = ""


@dataclass(frozen=True)
class Outcome:
    """The decision on a batch: rows in quarantine, or the reason why it is refused."""

    results: list[RuleResult]
    quarantined: int = 0
    refused: str | None = None
    warnings: list[str] = field(default_factory=list)


def decide_batch(rows: int, findings: list[Finding], bad: int, most_quarantined: float) -> Outcome:
    """Refuse, quarantine or let pass: refused by any rule that fails the batch or by too many bad rows.

    `bad` rows break a rule whose rows go to quarantine, each counted once.
    """
    refusals = [describe_finding(finding, rows) for finding in findings if refuses_batch(finding)]
    if too_many(bad, rows, most_quarantined):
        refusals.append(describe_excess(bad, rows, most_quarantined, findings))
    return Outcome(
        results=[to_result(finding, rows) for finding in findings],
        quarantined=0 if refusals else bad,
        refused="\n".join(refusals) or None,
        warnings=[describe_finding(f, rows) for f in findings if not f.passed and f.on_failure == "warn"],
    )


def sets_rows_aside(finding: Finding) -> bool:
    """Whether the rows that this check names go to quarantine; a rule that holds by `mostly` names none."""
    return not finding.passed and finding.on_failure == "quarantine" and bool(finding.unexpected)


def refuses_batch(finding: Finding) -> bool:
    """Whether this check alone refuses the batch: `fail`, or a `quarantine` that cannot say which rows."""
    if finding.passed or finding.on_failure == "warn":
        return False
    return finding.on_failure == "fail" or not finding.unexpected


def surely_refused(rows: int, findings: list[Finding], most_quarantined: float) -> bool:
    """Whether counts are enough to refuse the batch, so that nobody needs to know which rows are bad."""
    return any(refuses_batch(f) for f in findings) or too_many(fewest_bad(findings), rows, most_quarantined)


def fewest_bad(findings: list[Finding]) -> int:
    """So many rows at least are bad, though the same ones may break several rules."""
    return max((f.unexpected or 0 for f in findings if sets_rows_aside(f)), default=0)


def too_many(bad: int, rows: int, most_quarantined: float) -> bool:
    """Whether so many of `rows` are bad that the batch itself is suspect; never where all may be."""
    if most_quarantined >= 1:
        return False
    if rows < FEWEST_FOR_SHARE:
        return 0 < bad == rows
    return bad / rows > most_quarantined


def describe_finding(finding: Finding, rows: int) -> str:
    """What a check found, in words and numbers."""
    name = f"{finding.rule} on {finding.column}" if finding.column else finding.rule
    if finding.error:
        return f"Validation is broken, the data was not judged: {name} could not run: {finding.error}"
    if finding.unexpected is None:
        return f"{name}: found {finding.observed or 'otherwise'}, expected {finding.expected}."
    seen = [example for example in finding.examples if example != "nothing"]  # of missing cells
    such = f", such as {', '.join(seen)}" if seen else ""
    return f"{name}: {finding.unexpected} of {rows} rows are not as expected ({finding.expected}){such}."


def describe_excess(bad: int, rows: int, most_quarantined: float, findings: list[Finding]) -> str:
    """Why so many bad rows refuse the batch, with the rules that they break, the most broken first."""
    broken = sorted((f for f in findings if sets_rows_aside(f)), key=lambda f: -(f.unexpected or 0))
    shares = "; ".join(describe_finding(f, rows).rstrip(".") for f in broken[:EXAMPLES])
    several = "At least " if len(broken) > 1 else ""  # rows that break two rules were not told apart
    return (
        f"{several}{bad} of {rows} rows ({bad / rows:.1%}) break a check, more than the "
        f"{most_quarantined:.1%} that validation.most_quarantined allows: {shares}."
    )


def to_result(finding: Finding, rows: int) -> RuleResult:
    """A finding as it is stored."""
    sound = finding.passed and not finding.unexpected
    return RuleResult(
        rule=finding.rule,
        column=finding.column,
        on_failure=finding.on_failure,
        passed=finding.passed,
        unexpected=finding.unexpected or 0,
        message=f"as expected: {finding.expected}" if sound else describe_finding(finding, rows),
        examples=list(finding.examples),
    )
