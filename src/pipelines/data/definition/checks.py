"""The checks that are proposed: what the data keeps to now, with room for what it may bring."""

from __future__ import annotations

import math

from pipelines.data.definition.column_profiles import ColumnProfile
from pipelines.data.definition.profiling import Profile
from pipelines.data.definition.relations import Relation
from pipelines.data.yaml_text import quoted, scalar

FEW_MISSING = 0.2  # a feature with fewer missing values is expected to stay there
ROOM = 0.3  # share of a batch that may be missing beyond what was seen
MOST_PRESENT = 200  # features that are expected to stay; of a wider table, none by itself
MOST_BOUNDED = 300  # features whose values get a check: of a wide table each takes tens of milliseconds


def check_lines(profile: Profile) -> list[str]:
    """Rows are there, target and time are there, features not silent, values and relations as they were."""
    there = list(dict.fromkeys(name for name in (profile.target, profile.timestamp) if name is not None))
    used = [c for c in profile.columns if c.role in {"feature", "target"}]
    lines = ["    - expect_table_row_count_to_be_between: {min_value: 1}", "      on_failure: fail"]
    lines += [f"    - expect_column_values_to_not_be_null: {{column: {scalar(name)}}}" for name in there]
    if len(used) <= MOST_PRESENT:
        lines += [line for c in used if c.role == "feature" for line in presence_check(c)]
    unbounded = {c.name for c in [c for c in used if c.role == "feature"][MOST_BOUNDED:]}
    lines += [line for c in used if c.name not in unbounded for line in value_check(c)]
    if unbounded:
        lines += [f"    # The values of {len(unbounded):,} further columns have no check; add what matters."]
    return lines + [line for relation in profile.relations for line in relation_check(relation)]


def presence_check(column: ColumnProfile) -> list[str]:
    """A feature that goes silent refuses the batch; one that misses many values may miss all."""
    if column.missing >= FEW_MISSING:
        return []
    mostly = math.floor((1 - column.missing - ROOM) * 100) / 100
    arguments = f"column: {scalar(column.name)}, mostly: {mostly:g}"
    return [f"    - expect_column_values_to_not_be_null: {{{arguments}}}", "      on_failure: fail"]


def value_check(column: ColumnProfile) -> list[str]:
    """The check on one column's values; none where nothing is known of them, or they are to grow."""
    name = f"column: {scalar(column.name)}"
    if column.type == "category" and column.values:
        known = ", ".join(quoted(value) for value in column.values)
        rule = f"    - expect_column_values_to_be_in_set: {{{name}, value_set: [{known}]}}"
        return [rule, f"      on_failure: {'quarantine' if column.role == 'target' else 'warn'}"]
    if column.type != "number" or column.low is None or column.high is None:
        return []
    limits = f"min_value: {number(column.low)}, max_value: {number(column.high)}"
    return [f"    - expect_column_values_to_be_between: {{{name}, {limits}}}"]


def relation_check(relation: Relation) -> list[str]:
    """One column is never below another; GX names the greater first."""
    pair = f"column_A: {scalar(relation.high)}, column_B: {scalar(relation.low)}, or_equal: true"
    rule = "expect_column_pair_values_a_to_be_greater_than_b"
    return [f"    - {rule}: {{{pair}, ignore_row_if: either_value_is_missing}}", "      on_failure: warn"]


def number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
