"""Bad input by what it means: well-formed rows that say something wrong, twice, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.data.definition.proposal import init_definition
from pipelines.errors import ConfigError, DataError, DataRefused
from tests.faults.frame import DELIVERED, HELD, Case, Deliver, Form, Pipeline, file, rides, same, to_csv
from tests.faults.judging import check_words, judge

CLASSES = Form(
    "classes", definition={"task": "multiclass", "metric": "accuracy", "gates": {"thresholds": []}}
)
KEYED = Form("keyed", definition={"data": {"key": ["at"]}})
DRIFT = {"validation": {"drift": {"minimum_rows": 50}}}  # so that 60 rows are compared with the snapshot
BAD = "1e6"  # minutes that no ride takes


def assigned(**columns: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The good rows with these columns; a function makes a column of the rows."""
    return lambda rows: rows.assign(**columns)


def delivered(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Deliver:
    return file(lambda rows: to_csv(change(rows)))


def some(column: str, cell: Any, *places: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The good rows with the same cell in some places of a column."""

    def change(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(**{column: rows[column].astype(object).mask(rows.index.isin(places), cell)})

    return change


def first(count: int) -> range:
    return range(count)


def without(count: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda rows: rows.iloc[count:]


def flipped(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(late=rows["late"].map({"yes": "no", "no": "yes"}))


def swapped(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(distance=rows["minutes"], minutes=rows["distance"])


def shuffled(_: pd.DataFrame) -> pd.DataFrame:
    """What is held, its rows and columns in another order."""
    return rides(0, HELD).sample(frac=1, random_state=1)[["late", "minutes", "at", "distance", "zone"]]


def overlapping(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([rides(0, HELD).tail(20), rows])


def other_values(_: pd.DataFrame) -> pd.DataFrame:
    """Rows that are held, and three of them with other values under the same key."""
    held = rides(0, HELD)
    return held.assign(minutes=held["minutes"].where(held.index >= 3, held["minutes"] + 1))


CASES = [
    Case(
        "one class",
        delivered(assigned(late="no")),
        accepted=60,
        read_as=assigned(late="no"),
    ),
    Case(
        "a third class",
        delivered(some("late", "perhaps", 5, 6)),
        DataRefused,
        ("target_has_two_classes on late: found classes .*'perhaps' \\(2 rows\\).*set task: multiclass",),
        refused=60,
    ),
    Case(
        "a class never seen",
        delivered(some("late", "perhaps", 0, 1)),
        says=("in_set on late: 2 of 60 rows .*'perhaps'",),
        accepted=58,
        quarantined=2,
        form=CLASSES,
        read_as=without(2),
    ),
    Case(
        "a target half missing",
        delivered(some("late", None, *first(30))),
        DataRefused,
        ("30 of 60 rows \\(50.0%\\) break a check", "target_is_present on late"),
        refused=60,
    ),
    Case(
        "a feature all null",
        delivered(assigned(minutes=None)),
        DataRefused,
        ("not_be_null on minutes: 60 of 60 rows",),
        refused=60,
    ),
    Case(
        "a category all null",
        delivered(assigned(zone="")),
        DataRefused,
        ("not_be_null on zone: 60 of 60 rows",),
        refused=60,
    ),
    Case(
        "a feature that says one thing only",
        delivered(assigned(minutes=7.0)),
        says=("column_is_like_before on minutes: found distance 0\\.\\d+, expected at most 0\\.6",),
        accepted=60,
        definition=DRIFT,
        read_as=assigned(minutes=7.0),
    ),
    Case(
        "a copy of the target",
        delivered(lambda rows: rows.assign(outcome=rows["late"])),
        says=("'outcome' is not in the definition and is left out",),
        accepted=60,
    ),
    Case(
        "a unique id",
        delivered(lambda rows: rows.assign(ride_id=[f"r-{i:05d}" for i in range(len(rows))])),
        says=("'ride_id' is not in the definition and is left out",),
        accepted=60,
    ),
    *(
        Case(
            f"missing marked {mark}",
            delivered(some("minutes", mark, 0, 1, 2)),
            says=(f"on minutes: 3 of 60 rows .*{pattern}",),
            accepted=57,
            quarantined=3,
            read_as=without(3),
        )
        for mark, pattern in (("?", "'\\?'"), ("unknown", "'unknown'"), ("999", "999"), ("-999", "-999"))
    ),
    Case(
        "missing marked NULL",
        delivered(some("minutes", "NULL", 0, 1, 2)),
        accepted=60,
        read_as=some("minutes", np.nan, 0, 1, 2),
    ),
    Case(
        "flipped labels",
        delivered(flipped),
        DataRefused,
        ("labels_agree_with_before on late: found 2 of 2 columns .*opposite.*labels are not flipped",),
        refused=60,
        definition=DRIFT,
    ),
    Case(
        "metres where kilometres are declared",
        delivered(lambda rows: rows.assign(distance=rows["distance"] * 1000)),
        DataRefused,
        ("of 60 rows \\(\\d+\\.\\d%\\) break a check.*be_between on distance",),
        refused=60,
    ),
    Case(
        "hours where minutes were",
        delivered(lambda rows: rows.assign(minutes=rows["minutes"] / 60)),
        says=("column_is_like_before on minutes: found distance",),
        accepted=60,
        definition=DRIFT,
        read_as=lambda rows: rows.assign(minutes=rows["minutes"] / 60),
    ),
    Case(
        "two columns swapped",
        delivered(swapped),
        DataRefused,
        ("be_between on minutes: \\d\\d of 60 rows",),
        refused=60,
    ),
    Case("a redelivered batch", delivered(lambda _: rides(0, HELD)), known=HELD),
    Case("a reordered batch", delivered(shuffled), known=HELD),
    Case("an overlapping batch", delivered(overlapping), accepted=60, known=20),
    Case(
        "true duplicates within a batch",
        delivered(lambda rows: pd.concat([rows, rows.head(5)])),
        accepted=65,
        read_as=lambda rows: pd.concat([rows, rows.head(5)]),
    ),
    Case(
        "duplicates under a key",
        delivered(lambda rows: pd.concat([rows, rows.head(5)])),
        accepted=60,
        known=5,
        form=KEYED,
    ),
    Case(
        "other values under a known key",
        delivered(other_values),
        says=("key_is_new on at: 3 of 3 rows",),
        known=HELD - 3,
        quarantined=3,
        form=KEYED,
        definition={"validation": {"most_quarantined": 1.0}},
    ),
    Case(
        "two values under one new key",
        delivered(lambda rows: pd.concat([rows, rows.head(2).assign(minutes=1.5)])),
        says=("key_is_new on at: 2 of 62 rows",),
        accepted=60,
        quarantined=2,
        form=KEYED,
    ),
    Case(
        "as many bad rows as may be",
        delivered(some("minutes", BAD, *first(6))),
        says=("be_between on minutes: 6 of 60",),
        accepted=54,
        quarantined=6,
        read_as=without(6),
    ),
    Case(
        "one bad row too many",
        delivered(some("minutes", BAD, *first(7))),
        DataRefused,
        ("7 of 60 rows \\(11.7%\\) break a check, more than the 10.0% that validation.most_quarantined",),
        refused=60,
    ),
    Case(
        "every row bad",
        delivered(assigned(minutes=BAD)),
        DataRefused,
        ("60 of 60 rows \\(100.0%\\) break a check",),
        refused=60,
    ),
    Case(
        "every row bad, and all allowed to be",
        delivered(assigned(minutes=BAD)),
        says=("be_between on minutes: 60 of 60",),
        quarantined=60,
        definition={"validation": {"most_quarantined": 1.0}},
    ),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_each_meaning_has_its_answer(case: Case, pipeline_of: Callable[[Form], Pipeline]) -> None:
    judge(case, pipeline_of(case.form))


# ------------------------------------------------------------------------------------------------ checks

BROKEN_CHECKS = {
    "of an unknown column": (
        {"expect_column_values_to_not_be_null": {"column": "minuets"}},
        "validation.checks.0: .*: column minuets is not among columns. Did you mean minutes",
    ),
    "that does not exist": (
        {"expect_column_values_to_be_betwen": {"column": "minutes"}},
        "is not an expectation of Great Expectations. Did you mean expect_column_values_to_be_between",
    ),
    "with an unknown argument": (
        {"expect_column_values_to_be_between": {"column": "minutes", "least": 1}},
        "validation.checks.0: expect_column_values_to_be_between: arguments that do not fit",
    ),
}


@pytest.mark.parametrize("name", BROKEN_CHECKS)
def test_a_check_that_cannot_exist_is_a_mistake_in_the_definition(
    name: str, pipeline_of: Callable[[Form], Pipeline]
) -> None:
    """Nothing is taken in, and once the check is mended the same delivery is, once."""
    check, says = BROKEN_CHECKS[name]
    pipeline = pipeline_of(Form())
    sound = pipeline.definition
    pipeline.define({"validation": {"checks": [check]}})
    delivery = delivered(same)(pipeline)
    with pytest.raises(ConfigError, match=f"pipeline.yaml, line \\d+: .*{says}"):
        raise pipeline.ingest(delivery).error or AssertionError("accepted")
    assert len(pipeline.held()) == HELD
    pipeline.definition = sound
    assert pipeline.ingest(delivery).error is None
    assert len(pipeline.held()) == HELD + DELIVERED
    assert len(pipeline.champions()) == 1


CHECKS_THAT_CANNOT_RUN = {
    "SQL about nothing": {
        "unexpected_rows_expectation": {"unexpected_rows_query": "SELECT * FROM {batch} WHERE minuets > 1"}
    },
    "bounds the wrong way round": {
        "expect_column_values_to_be_between": {"column": "minutes", "min_value": 9, "max_value": 1}
    },
}


@pytest.mark.parametrize("name", CHECKS_THAT_CANNOT_RUN)
def test_a_check_that_cannot_run_refuses_and_says_that_validation_is_broken(
    name: str, pipeline_of: Callable[[Form], Pipeline]
) -> None:
    pipeline = pipeline_of(Form())
    sound = pipeline.definition
    pipeline.define({"validation": {"checks": [CHECKS_THAT_CANNOT_RUN[name]]}})
    delivery = delivered(same)(pipeline)
    answer = pipeline.ingest(delivery)
    assert isinstance(answer.error, DataRefused)
    assert "Validation is broken, the data was not judged" in answer.said
    assert answer.counts is not None
    assert (answer.counts.read, answer.counts.refused) == (DELIVERED, DELIVERED)
    check_words(answer)
    pipeline.definition = sound
    assert pipeline.ingest(delivery).error is None
    assert len(pipeline.held()) == HELD + DELIVERED


# ------------------------------------------------------------------------------------------------ init


def proposed(folder: Path, rows: pd.DataFrame, target: str = "late") -> dict[str, tuple[str, str]]:
    """Role and reason of each column, as `init` sees them."""
    rows.to_csv(folder / "t.csv", index=False)
    found = init_definition(str(folder / "t.csv"), target, None, folder / "pipeline.yaml")
    return {column.name: (column.role, column.why) for column in found.columns}


def test_a_table_of_one_class_cannot_be_learnt(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'late' has 1 value: there is nothing to predict"):
        proposed(tmp_path, rides(0, HELD).assign(late="no"))


def test_a_table_without_a_target_cannot_be_learnt(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'late' has no value: there is nothing to predict"):
        proposed(tmp_path, rides(0, HELD).assign(late=None))


def test_columns_that_teach_nothing_are_left_out(tmp_path: Path) -> None:
    rows = rides(0, HELD)
    rows = rows.assign(
        empty=None, constant=7, ride_id=[f"r-{i:05d}" for i in range(HELD)], copy=rows["late"].str.upper()
    )
    found = proposed(tmp_path, rows)
    assert {name: found[name][0] for name in ("empty", "constant", "ride_id", "copy")} == dict.fromkeys(
        ("empty", "constant", "ride_id", "copy"), "unused"
    )
    assert "leak" in found["copy"][1]
