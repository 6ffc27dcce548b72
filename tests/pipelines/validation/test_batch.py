"""Whole batches through the real Great Expectations."""

import pandas as pd
import pytest

from pipelines.config import PipelineConfig
from pipelines.errors import ConfigError, DataError
from pipelines.records import Batch
from pipelines.validation import validate_batch

COLUMNS = {"price": "number", "kind": "category", "seen": "time", "y": "number"}


@pytest.fixture
def frame():
    n = 40
    values = {"price": [float(i % 9) for i in range(n)], "kind": ["a", "b"] * 20, "y": [1.0] * n}
    return pd.DataFrame({**values, "seen": pd.date_range("2024-01-01", periods=n)})


@pytest.fixture
def validate(tmp_path, frame):
    def run(*checks, frame=frame, **validation):
        config = PipelineConfig(
            pipeline="shop",
            task="regression",
            metric="rmse",
            data={"source": "x.csv", "target": "y", "timestamp": "seen"},
            columns={name: {"type": kind} for name, kind in COLUMNS.items()},
            validation={"checks": list(checks), **validation},
        )
        path = tmp_path / "b1" / "batch.parquet"
        path.parent.mkdir(exist_ok=True)
        frame.assign(_row="r", _nth=0).to_parquet(path)
        batch = Batch(pipeline="shop", id="b1", path=str(path), rows=len(frame), known=0, sources=["x.csv"])
        return validate_batch(config, batch)

    return run


POSITIVE = {"expect_column_values_to_be_between": {"column": "price", "min_value": 0}}
KINDS = {"expect_column_values_to_be_in_set": {"column": "kind", "value_set": ["a", "b"]}}


def test_sound_rows_pass_in_silence(validate, capfd):
    report = validate(POSITIVE, KINDS, {"expect_table_row_count_to_be_between": {"min_value": 10}})
    assert (report.rows, report.quarantined, report.refused, report.failures_path) == (40, 0, None, None)
    assert [r.rule for r in report.results][1:] == [
        next(iter(POSITIVE)),
        next(iter(KINDS)),
        report.results[3].rule,
    ]
    assert all(result.passed for result in report.results)
    assert capfd.readouterr() == ("", "")


def test_bad_rows_go_to_quarantine_by_position_with_each_reason(validate, frame):
    frame.loc[[3, 17], "price"] = -3.0
    frame.loc[17, "kind"] = "z"
    frame.loc[5, "y"] = None
    report = validate(POSITIVE, KINDS)
    failures = pd.read_parquet(report.failures_path)
    assert report.quarantined == 3
    assert report.refused is None
    assert failures["position"].tolist() == [3, 5, 17, 17]
    assert failures["position"].dtype == "int64"
    assert failures["reason"][0] == "price: found -3.0, expected column values to be between (min_value=0)"
    assert failures["reason"][1] == "y: found nothing, expected the target to be present"
    assert "found 'z'" in failures["reason"][2]


def test_the_same_batch_judged_again_leaves_no_stale_failures(validate, frame):
    assert validate(POSITIVE, frame=frame.assign(price=[-1.0] + [1.0] * 39)).failures_path
    assert validate(POSITIVE).failures_path is None


def test_too_many_bad_rows_refuse_the_batch(validate, frame):
    report = validate(POSITIVE, frame=frame.assign(price=-1.0))
    assert "40 of 40 rows (100.0%)" in report.refused
    assert "such as -1.0" in report.refused
    assert report.quarantined == 0


def test_a_handful_of_rows_is_refused_only_when_all_are_bad(validate, frame):
    few = frame.head(4).assign(price=[-1.0, -1.0, -1.0, 2.0])
    assert validate(POSITIVE, frame=few).quarantined == 3
    assert validate(POSITIVE, frame=few.head(3)).refused


def test_a_rule_about_the_batch_refuses_or_warns(validate):
    mean = {"expect_column_mean_to_be_between": {"column": "price", "min_value": 100}}
    assert "found 3.75" in validate(mean).refused
    report = validate({**mean, "on_failure": "warn"})
    assert report.refused is None
    assert "expect_column_mean_to_be_between on price" in report.warnings[0]


@pytest.mark.parametrize("latest", ["2024-02-01", "2024-02-01 00:00", pd.Timestamp("2024-02-01").date()])
def test_a_day_may_bound_a_time(validate, latest):
    rule = {"expect_column_values_to_be_between": {"column": "seen", "max_value": latest}}
    report = validate(rule, most_quarantined=0.5)
    assert report.refused is None
    assert report.quarantined == 8


def test_a_rule_about_two_columns_names_rows(validate, frame):
    frame["y"] = frame["price"] + 1
    frame.loc[7, "y"] = -5.0
    rule = {"expect_column_pair_values_a_to_be_greater_than_b": {"column_A": "y", "column_B": "price"}}
    report = validate(rule)
    assert report.results[1].column == "y, price"
    assert pd.read_parquet(report.failures_path)["position"].tolist() == [7]


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
    ],
)
def test_a_check_that_cannot_exist_is_the_definitions_fault(validate, rule, words):
    with pytest.raises(ConfigError) as caught:
        validate(rule)
    assert words in str(caught.value)


def test_a_check_that_cannot_run_is_not_called_bad_data(validate):
    report = validate({"expect_column_values_to_be_between": {"column": "nope", "min_value": 1}}, POSITIVE)
    assert "Validation is broken" in report.refused
    assert '"nope" in BatchData does not exist' in report.refused
    assert report.results[2].passed


def test_nothing_new_is_nothing_to_judge(validate, frame):
    report = validate(POSITIVE, frame=frame.head(0))
    assert (report.rows, report.quarantined, report.results, report.refused) == (0, 0, [], None)


def test_a_batch_that_is_not_parquet_is_a_data_error(validate, tmp_path, frame):
    report = validate()
    path = tmp_path / "b1" / "batch.parquet"
    path.write_bytes(path.read_bytes()[:100])
    batch = Batch(pipeline="shop", id="b1", path=str(path), rows=40, known=0, sources=[])
    config = PipelineConfig(
        pipeline="shop",
        task="regression",
        metric="rmse",
        data={"source": "x", "target": "y"},
        columns={name: {"type": kind} for name, kind in COLUMNS.items()},
    )
    assert report.refused is None
    with pytest.raises(DataError, match="cannot be read"):
        validate_batch(config, batch)
