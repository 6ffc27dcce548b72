"""Whole batches through the real Great Expectations over DuckDB."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import ConfigError, DataError
from pipelines.home import Home
from pipelines.records import Batch
from pipelines.validation import validate_batch
from tests.pipelines.validation.conftest import FIRST_SEQ, define, failing, reasons, write_parts

POSITIVE = {"expect_column_values_to_be_between": {"column": "price", "min_value": 0}}
KINDS = {"expect_column_values_to_be_in_set": {"column": "kind", "value_set": ["a", "b"]}}
BUILTIN = ["target_is_present", "timestamp_is_present", "timestamp_is_not_in_the_future"]


def test_sound_rows_pass_in_silence(validate, capfd):
    report = validate(POSITIVE, KINDS, {"expect_table_row_count_to_be_between": {"min_value": 10}})
    assert (report.rows, report.quarantined, report.refused, report.failures_path) == (40, 0, None, None)
    declared = [next(iter(POSITIVE)), next(iter(KINDS)), "expect_table_row_count_to_be_between"]
    assert [result.rule for result in report.results] == BUILTIN + declared
    assert all(result.passed for result in report.results)
    assert capfd.readouterr() == ("", "")


def test_bad_rows_go_to_quarantine_by_their_number_with_each_reason(validate, frame):
    frame.loc[[3, 17], "price"] = -3.0
    frame.loc[17, "kind"] = "z"
    frame.loc[5, "y"] = None
    report = validate(POSITIVE, KINDS)
    assert report.quarantined == 3
    assert report.refused is None
    assert failing(report) == [3, 5, 17]
    assert reasons(report, 3) == ["price: found -3.0, expected column values to be between (min_value=0)"]
    assert reasons(report, 5) == ["y: found nothing, expected the target to be present"]
    assert [words.split(",")[0] for words in reasons(report, 17)] == ["kind: found 'z'", "price: found -3.0"]
    assert report.results[3].examples == ["-3.0"]


def test_the_same_batch_judged_again_leaves_no_stale_failures(validate, frame):
    path = validate(POSITIVE, frame=frame.assign(price=[-1.0] + [1.0] * 39)).failures_path
    assert path
    assert validate(POSITIVE).failures_path is None
    assert not pd.io.common.file_exists(path)


def test_too_many_bad_rows_refuse_the_batch_and_are_not_listed(validate, frame):
    report = validate(POSITIVE, KINDS, frame=frame.assign(price=-1.0, kind="z"))
    assert "At least 40 of 40 rows (100.0%)" in report.refused
    assert "such as -1.0" in report.refused
    assert "such as 'z'" in report.refused
    assert (report.quarantined, report.failures_path) == (0, None)


def test_rows_that_break_different_rules_add_up(validate, frame):
    frame.loc[[0, 1, 2], "price"] = -1.0
    frame.loc[[2, 3, 4], "kind"] = "z"
    assert "5 of 40 rows (12.5%)" in validate(POSITIVE, KINDS).refused
    assert validate(POSITIVE, KINDS, most_quarantined=0.125).quarantined == 5


def test_a_handful_of_rows_is_refused_only_when_all_are_bad(validate, frame):
    few = frame.head(4).assign(price=[-1.0, -1.0, -1.0, 2.0])
    assert validate(POSITIVE, frame=few).quarantined == 3
    assert validate(POSITIVE, frame=few.head(3)).refused


def test_mostly_lets_rows_pass(validate, frame):
    rule = {"expect_column_values_to_be_between": {"column": "price", "min_value": 1, "mostly": 0.8}}
    report = validate(rule)
    assert (report.quarantined, report.refused) == (0, None)
    assert report.results[-1].unexpected == 5


def test_a_rule_about_the_batch_refuses_or_warns(validate):
    mean = {"expect_column_mean_to_be_between": {"column": "price", "min_value": 100}}
    assert "found 3.75" in validate(mean).refused
    report = validate({**mean, "on_failure": "warn"})
    assert report.refused is None
    assert "expect_column_mean_to_be_between on price" in report.warnings[0]


@pytest.mark.parametrize("latest", ["2024-02-01", "2024-02-01 00:00", date(2024, 2, 1)])
def test_a_day_may_bound_a_time(validate, latest):
    rule = {"expect_column_values_to_be_between": {"column": "seen", "max_value": latest}}
    report = validate(rule, most_quarantined=0.5)
    assert report.refused is None
    assert report.quarantined == 8


def test_a_batch_may_have_to_be_fresh(validate, frame):
    fresh = {"expect_column_max_to_be_between": {"column": "seen", "min_value": "now - 7 days"}}
    assert "expect_column_max_to_be_between on seen: found 2024-02-09" in validate(fresh).refused
    now = pd.Timestamp.now().floor("us")
    assert validate(fresh, frame=frame.assign(seen=now)).refused is None


def test_a_rule_about_two_columns_names_rows(validate, frame):
    frame["y"] = frame["price"] + 1
    frame.loc[7, "y"] = -5.0
    rule = {"expect_column_pair_values_a_to_be_greater_than_b": {"column_A": "y", "column_B": "price"}}
    report = validate(rule)
    assert report.results[-1].column == "y, price"
    assert failing(report) == [7]
    assert reasons(report, 7)[0].startswith("y, price: found (-5.0, 7.0), expected ")


def test_sql_of_ones_own_names_rows(validate, frame):
    frame.loc[[4, 9], "price"] = 50.0
    rule = {
        "unexpected_rows_expectation": {"unexpected_rows_query": "SELECT * FROM {batch} WHERE price > y + 40"}
    }
    report = validate(rule)
    assert failing(report) == [4, 9]
    words = "price, y: found (50.0, 1.0), expected no row of SELECT * FROM {batch} WHERE price > y + 40"
    assert reasons(report, 4) == [words]


@pytest.mark.parametrize(
    "query", ["SELECT * FROM {batch}, read_csv('/etc/passwd')", "SELECT * FROM {batch}; SELECT 1"]
)
def test_sql_of_ones_own_sees_the_batch_and_nothing_else(validate, query):
    report = validate({"unexpected_rows_expectation": {"unexpected_rows_query": query}})
    assert "Validation is broken" in report.refused


# ------------------------------------------------------------------------------------------------ at fault


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (
            {"expect_column_values_to_be_betwen": {"column": "price"}},
            "Did you mean expect_column_values_to_be_between",
        ),
        (
            {"expect_column_values_to_be_between": {"column": "price", "least": 1}},
            "extra fields not permitted",
        ),
        ({"expect_column_values_to_be_between": {"min_value": 1}}, "validation.checks.0"),
        (
            {"expect_column_values_to_not_be_null": {"column": "prize"}},
            "column prize is not among columns. Did you mean price?",
        ),
        (
            {"expect_compound_columns_to_be_unique": {"column_list": ["price", "sort"]}},
            "column sort is not among columns",
        ),
        ({"unexpected_rows_expectation": {"unexpected_rows_query": "SELECT 1"}}, "FROM {batch}"),
    ],
)
def test_a_check_that_cannot_exist_is_the_definitions_fault(validate, rule, words):
    with pytest.raises(ConfigError) as caught:
        validate(rule)
    assert words in str(caught.value)


def test_the_line_of_a_check_that_cannot_exist_is_named(tmp_path):
    rule = "- expect_column_values_to_not_be_null: {column: nope}"
    (tmp_path / "pipeline.yaml").write_text(f"pipeline: shop\nvalidation:\n  checks:\n  {rule}\n")
    columns = {"price": "number", "y": "number"}
    config = define(columns, {"expect_column_values_to_not_be_null": {"column": "nope"}})
    write_parts(pd.DataFrame({"price": [1.0], "y": [1.0]}), tmp_path, columns, parts=1)
    batch = Batch(pipeline="shop", id="b", folder=str(tmp_path), rows=1, known=0, sources=[])
    with pytest.raises(ConfigError, match=r"pipeline\.yaml, line 4: validation\.checks\.0"):
        validate_batch(config.model_copy(update={"folder": tmp_path}), Home(tmp_path), batch)


def test_a_check_that_cannot_run_is_not_called_bad_data(validate):
    report = validate({"expect_column_mean_to_be_between": {"column": "kind", "min_value": 1}}, POSITIVE)
    assert "Validation is broken" in report.refused
    assert "expect_column_mean_to_be_between on kind could not run" in report.refused
    assert report.results[-1].passed


def test_columns_that_differ_in_case_are_refused(validate, frame):
    columns = {"price": "number", "Price": "number", "seen": "time", "y": "number"}
    with pytest.raises(ConfigError, match="price, Price differ only in case"):
        validate(POSITIVE, frame=frame.assign(Price=1.0), columns=columns)


def test_nothing_new_is_nothing_to_judge(validate, frame):
    report = validate(POSITIVE, frame=frame.head(0))
    assert (report.rows, report.quarantined, report.results, report.refused) == (0, 0, [], None)


@pytest.mark.parametrize("keep", [100, 0])
def test_a_part_that_is_not_parquet_is_a_data_error(validate, tmp_path, frame, keep):
    columns = {"price": "number", "y": "number"}
    write_parts(frame, tmp_path, columns, parts=2)
    part = tmp_path / "part-00001.parquet"
    part.write_bytes(part.read_bytes()[:keep])
    batch = Batch(pipeline="shop", id="b1", folder=str(tmp_path), rows=40, known=0, sources=[])
    with pytest.raises(DataError, match="cannot be read"):
        validate_batch(define(columns, POSITIVE), Home(tmp_path), batch)


def test_names_and_values_may_be_anything(validate, frame):
    columns = {"select": "number", 'a "b"': "category", "größe, cm": "text", "y": "number"}
    evil = "\x1b[31m\u202e'; DROP TABLE batch; --\n" + "x" * 500
    odd = frame.rename(columns={"price": "select", "kind": 'a "b"'}).assign(**{"größe, cm": "m"})
    odd.loc[2, 'a "b"'] = odd.loc[4, "größe, cm"] = evil
    odd.loc[6, "select"] = -1.0
    report = validate(
        {"expect_column_values_to_be_between": {"column": "select", "min_value": 0}},
        {"expect_column_values_to_be_in_set": {"column": 'a "b"', "value_set": ["a", "b"]}},
        {"expect_column_values_to_match_regex": {"column": "größe, cm", "regex": "^m$"}},
        frame=odd,
        columns=columns,
    )
    assert failing(report) == [2, 4, 6]
    for words in [reasons(report, 2)[0], reasons(report, 4)[0], *report.results[-1].examples]:
        assert words.isprintable()
        assert len(words) < 400
    assert "DROP TABLE" in reasons(report, 2)[0]


# ------------------------------------------------------------------------------------------------ once

NUMBER = st.one_of(st.none(), st.integers(-3, 6).map(float))
ROW = st.tuples(NUMBER, st.sampled_from(["a", "b", "z", None]), NUMBER)
RULES = [
    {"expect_column_values_to_be_between": {"column": "price", "min_value": 0, "max_value": 4}},
    {"expect_column_values_to_not_be_null": {"column": "kind"}},
    KINDS,
    {"expect_column_values_to_match_regex": {"column": "kind", "regex": "^(?!z)"}},
    {"expect_column_values_to_be_unique": {"column": "price", "mostly": 0.5}},
]


def judged(rows: list[tuple[float | None, str | None, float | None]]) -> set[int]:
    """The same rules in plain Python: the rows that break one."""
    prices = [price for price, _, _ in rows if price is not None]
    again = {price for price in prices if prices.count(price) > 1}
    repeated = {i for i, (price, _, _) in enumerate(rows) if price in again and price is not None}
    bad = {i for i, (price, _, _) in enumerate(rows) if price is not None and not 0 <= price <= 4}
    bad |= {i for i, (_, kind, y) in enumerate(rows) if kind is None or kind == "z" or y is None}
    return bad | (repeated if len(repeated) > 0.5 * len(prices) else set())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, min_size=1, max_size=60), most=st.sampled_from([0.1, 0.5, 1.0]))
def test_each_row_is_accepted_quarantined_or_refused(validate, rows, most):
    columns = {"price": "number", "kind": "category", "y": "number"}
    frame = pd.DataFrame(rows, columns=list(columns))
    report = validate(*RULES, frame=frame, columns=columns, most_quarantined=most)
    bad = judged(rows)
    too_many = len(bad) == len(rows) if len(rows) < 20 else len(bad) / len(rows) > most
    too_many = too_many and most < 1
    assert (report.refused is not None) == too_many
    if report.refused is None:
        assert failing(report) == sorted(bad)
        assert report.quarantined == len(bad)
        assert report.accepted == len(rows) - len(bad)
    else:
        assert (report.accepted, report.quarantined, report.failures_path) == (0, 0, None)


def test_batches_may_be_judged_at_once(tmp_path, frame):
    columns = {"price": "number", "kind": "category", "y": "number"}
    config = define(columns, POSITIVE, KINDS)

    def judge(number: int) -> list[int]:
        folder = tmp_path / str(number)
        write_parts(frame.assign(price=[-1.0 if i == number else 1.0 for i in range(40)]), folder, columns, 2)
        batch = Batch(pipeline="shop", id=str(number), folder=str(folder), rows=40, known=0, sources=[])
        return failing(validate_batch(config, Home(tmp_path), batch))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(judge, range(8))) == [[number] for number in range(8)]


def test_many_bad_rows_cost_little(tmp_path):
    n, columns = 500_000, {"price": "number", "kind": "category", "y": "number"}
    frame = pd.DataFrame({"price": np.arange(n) % 20 - 1.0, "kind": "a", "y": 1.0})
    write_parts(frame, tmp_path, columns, parts=3)
    batch = Batch(pipeline="shop", id="b", folder=str(tmp_path), rows=n, known=0, sources=[])
    start = time.perf_counter()
    report = validate_batch(define(columns, POSITIVE, KINDS), Home(tmp_path), batch)
    assert report.quarantined == n / 20
    assert failing(report) == list(range(0, n, 20))
    assert time.perf_counter() - start < 20
    first = pd.read_parquet(report.failures_path)["_seq"]
    assert first.iloc[0] == FIRST_SEQ
    assert first.is_monotonic_increasing
