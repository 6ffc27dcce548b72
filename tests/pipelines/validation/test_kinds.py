"""Every kind of expectation says the same over DuckDB as on pandas, of rows and of batches."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from pipelines.validation.expectations import build_expectations
from pipelines.validation.fallback import ask_pandas
from tests.pipelines.validation.conftest import define, failing

COLUMNS = {
    "a": "number",
    "b": "number",
    "u": "number",
    "k": "category",
    "j": "text",
    "t": "time",
    "y": "number",
}
N = 60


def table() -> pd.DataFrame:
    """Rows with gaps, equals, and every type."""
    frame = pd.DataFrame(
        {
            "a": [float(i % 9) for i in range(N)],
            "b": [float(i % 9) + (i % 7 == 0) for i in range(N)],
            "u": [float(i) for i in range(N)],
            "k": ["x", "y", "zed"] * 20,
            "j": ['{"a":1}', "2024-01-01", "[1]"] * 20,
            "t": pd.date_range("2024-01-01", periods=N),
            "y": [0.0, 1.0] * 30,
        }
    )
    frame.loc[[5, 12], "a"] = frame.loc[[11, 12], "b"] = frame.loc[30, "u"] = None
    frame.loc[7, "k"] = frame.loc[9, "t"] = None
    frame.loc[20, "u"] = 19.0
    return frame


def kind(name: str, column: str = "", **arguments: Any) -> dict[str, dict[str, Any]]:
    return {f"expect_{name}": {**({"column": column} if column else {}), **arguments}}


PAIRS = [(0.0, "x"), (1.0, "y")]
QUARTILES = {"quantiles": [0.25, 0.5], "value_ranges": [[0, 3], [3, 5]]}
WORDS = {"values": ["x"], "weights": [1.0]}
BINS = {"bins": [0, 4, 8], "weights": [0.5, 0.5]}
PAIR = {"column_A": "b", "column_B": "a"}
ONLY_X = {"row_condition": 'col("k")=="x"', "condition_parser": "great_expectations"}
CASES = [
    kind("column_values_to_not_be_null", "a"),
    kind("column_values_to_be_null", "a"),
    kind("column_values_to_be_between", "a", min_value=2, max_value=5),
    kind("column_values_to_be_between", "a", min_value=2, strict_min=True),
    kind("column_values_to_be_between", "a", min_value=2, max_value=5, **ONLY_X),
    kind("column_values_to_be_between", "t", min_value="2024-01-10"),
    kind("column_values_to_be_in_set", "k", value_set=["x", "y"]),
    kind("column_values_to_be_in_set", "a", value_set=[1, 2, 3]),
    kind("column_values_to_not_be_in_set", "k", value_set=["x"]),
    kind("column_values_to_be_unique", "u"),
    kind("column_values_to_be_unique", "k"),
    kind("column_values_to_be_unique", "k", mostly=0.1),
    kind("column_values_to_be_increasing", "u"),
    kind("column_values_to_be_decreasing", "a"),
    kind("column_value_z_scores_to_be_less_than", "a", threshold=1.2, double_sided=True),
    kind("column_values_to_not_be_outliers", "a", method="iqr", multiplier=0.1),
    kind("column_value_lengths_to_be_between", "k", min_value=2),
    kind("column_value_lengths_to_equal", "k", value=1),
    kind("column_values_to_match_regex", "k", regex="^[xy]$"),
    kind("column_values_to_match_regex", "k", regex="^x", **ONLY_X),
    kind("column_values_to_not_match_regex", "k", regex="^(?!x)"),
    kind("column_values_to_match_regex_list", "k", regex_list=["x", "z"]),
    kind("column_values_to_not_match_regex_list", "k", regex_list=["x", "z"]),
    kind("column_values_to_be_json_parseable", "j"),
    kind("column_values_to_be_dateutil_parseable", "j"),
    kind("column_values_to_match_strftime_format", "j", strftime_format="%Y-%m-%d"),
    kind("column_values_to_be_of_type", "a", type_="float64"),
    kind("column_values_to_be_in_type_list", "a", type_list=["int64", "float64"]),
    kind("column_type_to_be", "a", type_="float64"),
    kind("column_pair_values_a_to_be_greater_than_b", **PAIR),
    kind("column_pair_values_a_to_be_greater_than_b", **PAIR, or_equal=True),
    kind("column_pair_values_to_be_equal", **PAIR),
    kind("column_pair_values_to_be_equal", **PAIR, ignore_row_if="either_value_is_missing"),
    kind("column_pair_values_to_be_in_set", column_A="a", column_B="k", value_pairs_set=PAIRS),
    kind("compound_columns_to_be_unique", column_list=["a", "k"]),
    kind("compound_columns_to_be_unique", column_list=["u", "k"]),
    kind("multicolumn_sum_to_equal", column_list=["a", "b"], sum_total=8),
    kind("multicolumn_values_to_be_equal", column_list=["a", "b"]),
    kind("select_column_values_to_be_unique_within_record", column_list=["a", "b"]),
    kind("column_mean_to_be_between", "a", min_value=1, max_value=2),
    kind("column_median_to_be_between", "a", min_value=1, max_value=9),
    kind("column_max_to_be_between", "a", max_value=5),
    kind("column_max_to_be_between", "t", min_value="now - 7 days"),
    kind("column_min_to_be_between", "a", max_value=5),
    kind("column_sum_to_be_between", "a", max_value=5),
    kind("column_stdev_to_be_between", "a", min_value=1),
    kind("column_quantile_values_to_be_between", "a", quantile_ranges=QUARTILES),
    kind("column_unique_value_count_to_be_between", "k", max_value=2),
    kind("column_proportion_of_unique_values_to_be_between", "k", max_value=0.2),
    kind("column_proportion_of_non_null_values_to_be_between", "k", min_value=0.99),
    kind("column_distinct_values_to_be_in_set", "k", value_set=["x", "y"]),
    kind("column_distinct_values_to_contain_set", "k", value_set=["x", "y"]),
    kind("column_distinct_values_to_equal_set", "k", value_set=["x", "y", "zed"]),
    kind("column_most_common_value_to_be_in_set", "k", value_set=["x"]),
    kind("column_kl_divergence_to_be_less_than", "k", partition_object=WORDS, threshold=0.1),
    kind("column_kl_divergence_to_be_less_than", "a", partition_object=BINS, threshold=1),
    kind("table_row_count_to_be_between", min_value=100),
    kind("table_row_count_to_equal", value=60),
    kind("table_column_count_to_equal", value=7),
    kind("table_columns_to_match_set", column_set=["a"]),
    kind("table_columns_to_match_ordered_list", column_list=list(COLUMNS)),
    kind("column_to_exist", "nope"),
    kind("column_to_exist", "a"),
]


@pytest.mark.parametrize("check", CASES, ids=lambda check: next(iter(check)).removeprefix("expect_"))
def test_duckdb_and_pandas_agree(validate, check):
    frame = table()
    report = validate(check, frame=frame, columns=COLUMNS, most_quarantined=1.0, future=None)
    (expectation,) = build_expectations(define(COLUMNS, check))
    there = ask_pandas(expectation, frame)
    assert "Validation is broken" not in (report.refused or "")
    assert report.results[-1].passed == there.success
    expected = [] if there.success else there.result.get("unexpected_index_list") or []
    assert failing(report) == expected


LIKE = [
    ("match_like_pattern", {"like_pattern": "%e%"}, 39),
    ("not_match_like_pattern", {"like_pattern": "%e%"}, 20),
    ("match_like_pattern_list", {"like_pattern_list": ["%e%", "x"]}, 19),
    ("not_match_like_pattern_list", {"like_pattern_list": ["%e%", "x"]}, 40),
]


@pytest.mark.parametrize(("name", "arguments", "rows"), LIKE)
def test_what_pandas_has_not(validate, name, arguments, rows):
    check = kind(f"column_values_to_{name}", "k", **arguments)
    report = validate(check, frame=table(), columns=COLUMNS, most_quarantined=1.0, future=None)
    assert report.quarantined == rows


def test_a_query_that_names_no_rows_is_about_the_batch(validate):
    query = "SELECT sum(a) AS total FROM {batch} HAVING sum(a) > 3"
    check = {"unexpected_rows_expectation": {"unexpected_rows_query": query}}
    report = validate(check, frame=table(), columns=COLUMNS)
    assert "unexpected_rows_expectation: found 1, expected no row of SELECT sum(a)" in report.refused


def test_a_wrong_type_is_about_the_batch(validate):
    check = kind("column_values_to_be_of_type", "k", type_="int")
    report = validate(check, frame=table(), columns=COLUMNS)
    assert "expect_column_values_to_be_of_type on k: found object, expected" in report.refused
