"""What becomes of a batch, from what its checks found: a pure function of small values."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.records import OnFailure, RuleResult

EXAMPLES = 5
# A share says little of a handful of rows: under this many, only a batch of nothing but bad rows is refused.
FEWEST_FOR_SHARE = 20


@dataclass(frozen=True)
class Finding:
    """What one check found.

    `positions` are the failing rows (from 0) with their `values` in words; None where the rule is about the
    whole batch, which then has `observed`. `error` is set where the check itself could not run.
    """

    rule: str
    column: str | None
    on_failure: OnFailure
    expected: str
    passed: bool
    positions: tuple[int, ...] | None = None
    values: tuple[str, ...] = ()
    observed: str = ""
    error: str = ""


@dataclass(frozen=True)
class Outcome:
    """The decision on a batch; `failures` are (position, reason), one for each row and broken rule."""

    results: list[RuleResult]
    failures: list[tuple[int, str]] = field(default_factory=list)
    quarantined: int = 0
    refused: str | None = None
    warnings: list[str] = field(default_factory=list)


def decide_batch(rows: int, findings: list[Finding], most_quarantined: float) -> Outcome:
    """Refuse, quarantine or let pass: refused by any rule that fails the batch or by too many bad rows."""
    failures = [pair for finding in findings if sets_rows_aside(finding) for pair in name_rows(finding)]
    bad = len({position for position, _ in failures})
    refusals = [describe_finding(finding, rows) for finding in findings if refuses_batch(finding)]
    if too_many(bad, rows, most_quarantined):
        refusals.append(describe_excess(bad, rows, most_quarantined, findings))
    return Outcome(
        results=[to_result(finding, rows) for finding in findings],
        failures=failures,
        quarantined=0 if refusals else bad,
        refused="\n".join(refusals) or None,
        warnings=[describe_finding(f, rows) for f in findings if not f.passed and f.on_failure == "warn"],
    )


def sets_rows_aside(finding: Finding) -> bool:
    """Whether the rows that this check names go to quarantine; a rule that holds by `mostly` names none."""
    return not finding.passed and finding.on_failure == "quarantine" and bool(finding.positions)


def refuses_batch(finding: Finding) -> bool:
    """Whether this check alone refuses the batch: `fail`, or a `quarantine` that cannot say which rows."""
    if finding.passed or finding.on_failure == "warn":
        return False
    return finding.on_failure == "fail" or not finding.positions


def too_many(bad: int, rows: int, most_quarantined: float) -> bool:
    """Whether so many of `rows` are bad that the batch itself is suspect."""
    if rows < FEWEST_FOR_SHARE:
        return 0 < bad == rows
    return bad / rows > most_quarantined


def name_rows(finding: Finding) -> list[tuple[int, str]]:
    """The failing rows of a row rule, each with its reason."""
    values = finding.values or ("",) * len(finding.positions or ())
    pairs = zip(finding.positions or (), values, strict=True)
    return [(position, row_reason(finding, value)) for position, value in pairs]


def row_reason(finding: Finding, value: str) -> str:
    """Why one row is refused: column, what was found, what was expected."""
    found = f"found {value}, " if value else ""
    return f"{finding.column or 'row'}: {found}expected {finding.expected}"


def describe_finding(finding: Finding, rows: int) -> str:
    """What a check found, in words and numbers."""
    name = f"{finding.rule} on {finding.column}" if finding.column else finding.rule
    if finding.error:
        return f"Validation is broken, the data was not judged: {name} could not run: {finding.error}"
    if finding.positions is None:
        return f"{name}: found {finding.observed or 'otherwise'}, expected {finding.expected}."
    examples = ", ".join(list(dict.fromkeys(finding.values))[:EXAMPLES])
    such = f", such as {examples}" if examples else ""
    return f"{name}: {len(finding.positions)} of {rows} rows are not as expected ({finding.expected}){such}."


def describe_excess(bad: int, rows: int, most_quarantined: float, findings: list[Finding]) -> str:
    """Why so many bad rows refuse the batch, with the rules that they break, the most broken first."""
    broken = sorted((f for f in findings if sets_rows_aside(f)), key=lambda f: -len(f.positions or ()))
    shares = "; ".join(describe_finding(f, rows).rstrip(".") for f in broken[:EXAMPLES])
    return (
        f"{bad} of {rows} rows ({bad / rows:.1%}) break a check, more than the {most_quarantined:.1%} "
        f"that validation.most_quarantined allows: {shares}."
    )


def to_result(finding: Finding, rows: int) -> RuleResult:
    """A finding as it is stored."""
    sound = finding.passed and not finding.positions
    return RuleResult(
        rule=finding.rule,
        column=finding.column,
        on_failure=finding.on_failure,
        passed=finding.passed,
        unexpected=len(finding.positions or ()),
        message=f"as expected: {finding.expected}" if sound else describe_finding(finding, rows),
    )
