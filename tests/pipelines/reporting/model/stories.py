"""Made-up evaluations of the three tasks, with everything that can be measured."""

from __future__ import annotations

from datetime import UTC, datetime

from pipelines.config import MEASURED
from pipelines.records import (
    LEVELS,
    Baseline,
    Comparison,
    Confusion,
    Cost,
    Curve,
    Difference,
    Evaluation,
    Footprint,
    GateVerdict,
    GroupFairness,
    GroupRates,
    Importance,
    Interval,
    Plots,
    Probe,
    Rate,
    SliceMetric,
    Task,
)
from pipelines.reporting.model import ModelStory
from pipelines.reporting.model.story import Fact

NOW = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
ROWS = 2000
MAIN = {"binary": "auc", "multiclass": "accuracy", "regression": "rmse"}
LINE = Curve(x=[0.0, 0.1, 0.5, 1.0], y=[0.0, 0.6, 0.9, 1.0])


def around(value: float, half: float = 0.01) -> Interval:
    return Interval(value=value, low=value - half, high=value + half)


def better(value: float, half: float = 0.01, rows: int = ROWS) -> Difference:
    bounds = [value + half * (i - 10) / 8 for i in range(len(LEVELS))]
    return Difference(
        value=value,
        low=value - half,
        high=value + half,
        rows=rows,
        error=half / 2,
        rests_on=rows,
        bounds=bounds,
    )


def plots(task: Task) -> Plots:
    if task == "regression":
        off = [(-1) ** i * i / 10 for i in range(60)]
        return Plots(
            residuals=Curve(x=[100.0 + i for i in range(60)], y=off),
            residual_bins=Curve(x=[-6.0, -3.0, 0.0, 3.0, 6.0], y=[10.0, 20.0, 25.0, 5.0]),
        )
    classes = ["no", "yes"] if task == "binary" else ["ant", "bee", "cat"]
    drawn = classes[-1:] if task == "binary" else classes
    return Plots(
        roc=dict.fromkeys(drawn, LINE),
        pr=dict.fromkeys(drawn, Curve(x=[0.0, 0.5, 1.0], y=[1.0, 0.8, 0.3])),
        calibration=Curve(x=[0.1, 0.4, 0.8], y=[0.12, 0.35, 0.83], rows=[700, 700, 600]),
        confusion=Confusion(
            classes=classes,
            counts=[[900 if i == j else 50 for j in range(len(classes))] for i in range(len(classes))],
            rows=[1000] * len(classes),
            total=len(classes),
        ),
    )


def rates(group: str, rows: int, share: float) -> GroupRates:
    rate = Rate(value=share, error=0.02, rows=rows)
    off = Rate(value=-0.01, error=0.01, rows=rows)
    return GroupRates(
        group=group, rows=rows, selection=rate, true_positive=rate, false_positive=None, calibration=off
    )


def fairness(column: str = "sex") -> GroupFairness:
    return GroupFairness(
        column=column,
        groups=[rates(f"{column} = a", 1200, 0.4), rates(f"{column} = b", 800, 0.2)],
        selection_ratio=Rate(value=0.5, error=0.05, rows=800),
        odds_difference=Rate(value=0.2, error=0.03, rows=800),
        calibration_difference=None,
    )


def evaluation(task: Task = "binary") -> Evaluation:
    main = MAIN[task]
    metrics = {name: 0.8 + i / 50 for i, name in enumerate(MEASURED[task])}
    trivial = Baseline(
        name="training mean" if task == "regression" else "most frequent class",
        metrics=dict.fromkeys(metrics, 0.5),
        differences={main: better(0.3)},
    )
    return Evaluation(
        attempt="a-3f9c2e71d0",
        task=task,
        metric=main,
        rows=ROWS,
        metrics=metrics,
        intervals={name: around(value) for name, value in metrics.items()},
        baselines=[trivial],
        comparison=Comparison(
            champion_version=2,
            rows=ROWS - 69,
            left_out=69,
            metrics=metrics,
            champion_metrics=dict.fromkeys(metrics, 0.79),
            differences={name: better(0.012, 0.02) for name in metrics},
        ),
        footprint=Footprint(
            load_seconds=0.21,
            latency_p50=1.8,
            latency_p99=3.9,
            rows_per_second=41000,
            memory_bytes=212_000_000,
            size_bytes=1_831_231,
        ),
        kind="gradient_boosting",
        slices=[
            SliceMetric(name="age >= 60", found=False, rows=300, interval=around(0.78, 0.05), champion=0.77),
            SliceMetric(name="nobody", found=False, rows=0),
            SliceMetric(
                name="city = Rome",
                found=True,
                rows=200,
                among=1000,
                interval=around(0.6, 0.08),
                difference=better(0.01, rows=200),
            ),
        ],
        fairness=[fairness()] if task == "binary" else [],
        probes=[
            Probe(name="noise", column=None, rows=500, change=0.002),
            Probe(name="missing", column="age", rows=500, change=0.2),
            Probe(name="missing", column="city", rows=500, failure="12 answers are no numbers"),
        ],
        importances=[
            Importance(column="age", permutation=0.06, deviation=0.004, shapley=0.1, alone=0.2),
            Importance(column="city", permutation=-0.0001, deviation=0.0004),
        ],
        plots=plots(task),
    )


def bare(task: Task = "binary") -> Evaluation:
    """Nothing could be measured."""
    return Evaluation(
        attempt="a-1", task=task, metric=MAIN[task], rows=0, metrics={}, intervals={}, baselines=[]
    )


def story(found: Evaluation) -> ModelStory:
    return ModelStory(
        pipeline="rides",
        evaluation=found,
        gates=[
            GateVerdict(name="smoke", verdict="pass", reason="The model loads and answers."),
            GateVerdict(name="champion", verdict="inconclusive", reason="Better by 0.012 (-0.008 to 0.032)."),
            GateVerdict(name="threshold:auc", verdict="fail", reason="auc 0.8 is below 0.9."),
        ],
        generated=NOW,
        cost=Cost(cpu_seconds=31.2, peak_bytes=1_210_000_000, wall_seconds=12.4, processes=2),
        seconds={"train": 12.4},
        facts=[Fact(name="snapshot", value="rides@9")],
        run="http://127.0.0.1:5000/#/experiments/1/runs/abc",
    )
