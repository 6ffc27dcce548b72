"""How often few rows mislead a gate: shares of `--pairs` seeded simulated test sets.

    python benchmarks/few_rows.py [--only rare|calibration|thresholds|baselines] [--pairs 1000] [--rows 30]

`rare`: superiority at level 0.05 of a challenger that holds nearly for certain what sometimes does not come,
over a champion that is cautious, both as good on average; `sudden` errors no probability tells beforehand.
`calibration`: models whose calibration error (as measured on 1,000,000 rows) is just what the gate allows, or
0: how often it fails, how often it passes, and how often the measured value is above the true one.
`thresholds`: a bound that the true metric (of 4,000,000 rows) just keeps: pass and fail are each due 2.5 %.
`baselines`: models that are as good as the trivial answer. Of errors that are due 5 %, 99 % of the shares lie
below the limit that is said; of those due 2.5 % below the second one.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from judgment import BINARY, REGRESSION, answers
from scipy.optimize import brentq
from scipy.special import expit, log_expit, logit
from scipy.stats import binom

from pipelines.config import ChampionGate
from pipelines.evaluation.comparing import compare
from pipelines.evaluation.metrics import find_statistic, read_rows, read_statistics
from pipelines.evaluation.resampling import Resamples
from pipelines.gates.baselines import judge_baseline
from pipelines.gates.champion import LEAST, Question, decide
from pipelines.gates.thresholds import Bounds, within
from pipelines.records import Baseline, Difference, Evaluation

DRAWS = 2_000
Drawn = tuple[Any, list[Any]]  # true values, and the answers of two models


def frame(p: Any) -> pd.DataFrame:
    return pd.DataFrame({"prediction": np.where(p > 0.5, "yes", "no"), "p_no": 1 - p, "p_yes": p})


def classes(is_it: Any) -> pd.Series:
    return pd.Series(np.where(is_it, "yes", "no"))


def differences(
    metric: str, rows: int, pairs: int, draw: Callable[[Any], Drawn]
) -> Iterator[tuple[Difference, dict[str, float]]]:
    """The difference of both models and what is known of the second one, of each set where both have it."""
    random, resamples = np.random.default_rng(3), Resamples(rows, draws=DRAWS)
    task = "regression" if metric in REGRESSION else "binary"
    for _ in range(pairs):
        target, frames = draw(random)
        one, other = (read_rows(task, target, each) for each in frames)
        ours, theirs = find_statistic(metric, one), find_statistic(metric, other)
        if ours and theirs:
            found = compare(metric, {"a": ours, "b": theirs}, resamples).difference("a", "b")
            positive = find_statistic("pr_auc", other) if metric == "auc" else None
            yield found, {metric: theirs.value} | ({"pr_auc": positive.value} if positive else {})


def share(found: Counter[str], verdict: str) -> str:
    return f"{verdict} {found[verdict] / found.total():.3f}"


# ------------------------------------------------------------------------------------------------ rare


def rare(pairs: int, sizes: list[int]) -> Iterator[str]:
    cases = [("foretold", *case) for case in ((0.8, 0.01, 0.9999), (0.8, 0.02, 0.999), (0.3, 0.05, 0.9999))]
    for rows in sizes:
        for kind, part, wrong, held in [*cases, ("sudden", 1.0, 0.01, 0.9999), ("sudden", 1.0, 0.02, 0.999)]:
            draw = sudden(rows, wrong, held) if kind == "sudden" else foretold(rows, part, wrong, held)
            question = Question(0.0, 0.0, 0.05, strict=True, least=LEAST)
            found = Counter(decide(d, question) for d, _ in differences("log_loss", rows, pairs, draw))
            yield (
                f"rare, {kind:9} {rows:4} rows, held {held} of {part:.0%}, wrong {wrong:.0%}:"
                f" {share(found, 'pass')}"
            )


def foretold(rows: int, part: float, wrong: float, held: float) -> Callable[[Any], Drawn]:
    """Easy rows that come with 1 - `wrong`; the challenger holds `held` of it."""

    def cost(p: float) -> float:
        return float(-(1 - wrong) * np.log(p) - wrong * np.log1p(-p))

    cautious = brentq(lambda p: cost(p) - cost(held), 0.5, 1 - wrong)

    def draw(random: Any) -> Drawn:
        signal, easy = random.normal(0, 1.2, rows), random.random(rows) < part
        is_it = np.where(easy, random.random(rows) >= wrong, random.random(rows) < expit(signal))
        noisy = [expit(signal + 0.3 * random.normal(size=rows)) for _ in range(2)]
        both = zip((held, cautious), noisy, strict=True)
        return classes(is_it), [frame(np.where(easy, p, others)) for p, others in both]

    return draw


def sudden(rows: int, wrong: float, held: float) -> Callable[[Any], Drawn]:
    """A calibrated challenger, on a few rows sure of the other class, against a timid champion."""
    signal = np.random.default_rng(0).normal(0, 1.5, 1_000_000)
    p, size = expit(signal), float(logit(held))

    def cost(times: float) -> float:
        return float(-np.mean(p * log_expit(times * signal) + (1 - p) * log_expit(-times * signal)))

    whole = (1 - wrong) * cost(1.0) - wrong * log_expit(-size)
    timid = brentq(lambda times: cost(times) - whole, -2, 1)

    def draw(random: Any) -> Drawn:
        signal = random.normal(0, 1.5, rows)
        is_it = random.random(rows) < expit(signal)
        ours = np.where(random.random(rows) < wrong, np.where(is_it, -size, size), signal)
        return classes(is_it), [frame(expit(ours)), frame(expit(timid * signal))]

    return draw


# ------------------------------------------------------------------------------------------------ calibration

# How far what a model says lies from the truth: log odds of the truth by the model's, and the model's spread.
WORLDS: dict[str, tuple[Callable[[Any], Any], float]] = {
    "calibrated": (lambda z: z, 1.5),
    "too bold": (lambda z: z / 2, 3.0),
    "too timid": (lambda z: 2 * z, 0.75),
    "shifted": (lambda z: z - 0.5, 1.5),
    "in one bin": (lambda z: np.where(z > 0.9, -1.4, z), 1.5),
    "sure": (lambda z: np.full_like(z, 2.94), 0.0),  # holds 0.9999 of what comes with 0.95
}


def calibration(pairs: int, sizes: list[int]) -> Iterator[str]:
    for name, (truth, spread) in WORLDS.items():

        def draw(random: Any, rows: int, truth: Any = truth, spread: float = spread) -> Any:
            z = random.normal(-1, spread, rows) if spread else 9.2 + 0.01 * random.random(rows)
            return read_statistics("binary", classes(random.random(rows) < expit(truth(z))), frame(expit(z)))[
                "ece"
            ]

        true = 0.0 if name == "calibrated" else draw(np.random.default_rng(0), 1_000_000).value
        for rows in sizes:
            random, resamples = np.random.default_rng(5), Resamples(rows, draws=500)
            found, above = Counter[str](), 0
            for _ in range(pairs):
                each = compare("ece", {"a": draw(random, rows)}, resamples).interval("a")
                found[within(each, rows, Bounds(high=true))] += 1
                above += each.value > true
            yield (
                f"calibration, {name:11} {rows:4} rows, true {true:.3f}: {share(found, 'fail')},"
                f" {share(found, 'pass')}; measured above the truth {above / pairs:.2f}"
            )


# ------------------------------------------------------------------------------------------------ thresholds


def thresholds(pairs: int, sizes: list[int]) -> Iterator[str]:
    for task, metrics in (("binary", BINARY), ("regression", REGRESSION)):
        target, (one,) = answers(task, np.random.default_rng(7), 4_000_000, (0.5,))
        true = {name: s.value for name, s in read_statistics(task, target, one).items()}
        del target, one
        for rows in sizes:
            random, resamples = np.random.default_rng(5), Resamples(rows, draws=DRAWS)
            found = {name: {side: Counter[str]() for side in ("least", "most")} for name in metrics}
            for _ in range(pairs):
                target, (one,) = answers(task, random, rows, (0.5,))
                known = read_statistics(task, target, one)
                for name in found.keys() & known.keys():
                    each = compare(name, {"a": known[name]}, resamples).interval("a")
                    found[name]["least"][within(each, rows, Bounds(low=true[name]))] += 1
                    found[name]["most"][within(each, rows, Bounds(high=true[name]))] += 1
            for name, sides in found.items():
                said = "; ".join(f"at {s}: {share(n, 'pass')}, {share(n, 'fail')}" for s, n in sides.items())
                yield f"thresholds, {name:18} {rows:4} rows {said}"


# ------------------------------------------------------------------------------------------------ baselines


def baselines(pairs: int, sizes: list[int]) -> Iterator[str]:
    for rows in sizes:
        for metric, name, draw in as_good(rows):
            found = Counter[str]()
            for difference, theirs in differences(metric, rows, pairs, draw):
                simple = Baseline(name=name, metrics=theirs, differences={metric: difference})
                told = Evaluation(
                    attempt="a",
                    task="binary",
                    metric=metric,
                    rows=rows,
                    metrics={metric: theirs[metric] + difference.value},
                    intervals={},
                    baselines=[simple],
                )
                found[judge_baseline(told, simple, ChampionGate(level=0.05))[0]] += 1
            yield (
                f"baselines, {metric:8} {name:12} {rows:4} rows: {share(found, 'pass')},"
                f" {share(found, 'fail')}"
            )


def as_good(rows: int) -> Iterator[tuple[str, str, Callable[[Any], Drawn]]]:
    """Models as good as the trivial answer: errors as large as the spread, ranks by chance, boldness."""

    def values(random: Any, skewed: bool) -> Drawn:
        target = random.gamma(2, 2**-0.5, rows) - 2**0.5 if skewed else random.normal(size=rows)
        ours = target + random.normal(size=rows)
        return pd.Series(target), [pd.DataFrame({"prediction": each}) for each in (ours, np.zeros(rows))]

    def ranks(random: Any, rate: float) -> Drawn:
        z = logit(rate) + random.normal(size=rows)
        return classes(random.random(rows) < rate), [frame(expit(z)), frame(np.full(rows, rate))]

    def bold(random: Any, rate: float, times: float, known: float) -> Drawn:
        z = random.normal(0, 1.2, rows) + logit(rate)
        return classes(random.random(rows) < expit(z)), [frame(expit(times * z)), frame(np.full(rows, known))]

    for skewed in (False, True):
        yield "rmse", "skewed" if skewed else "normal", lambda r, s=skewed: values(r, s)
    for rate in (0.5, 0.2):
        for metric in ("auc", "pr_auc"):
            yield metric, f"{rate:.0%} positive", lambda r, s=rate: ranks(r, s)
        times, known = boldness(rate)
        yield "log_loss", f"{rate:.0%} positive", lambda r, s=(rate, times, known): bold(r, *s)


def boldness(rate: float) -> tuple[float, float]:
    """How many times its log odds a calibrated model must say to be as bad as the share of positive rows."""
    z = np.random.default_rng(0).normal(0, 1.2, 1_000_000) + logit(rate)
    p = expit(z)
    known = float(p.mean())
    entropy = -(known * np.log(known) + (1 - known) * np.log1p(-known))

    def worse(times: float) -> float:
        return float(-np.mean(p * log_expit(times * z) + (1 - p) * log_expit(-times * z)) - entropy)

    return brentq(worse, 1.01, 20), known


# ------------------------------------------------------------------------------------------------ report

SIMULATIONS = {"rare": rare, "calibration": calibration, "thresholds": thresholds, "baselines": baselines}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", choices=list(SIMULATIONS))
    parser.add_argument("--pairs", type=int, default=1_000)
    parser.add_argument("--rows", type=int, nargs="*", default=[])
    words = parser.parse_args()
    limits = [float(binom.ppf(0.99, words.pairs, level)) / words.pairs for level in (0.05, 0.025)]
    sys.stdout.write(f"limits {limits[0]:.3f}, {limits[1]:.3f}\n")
    for name, simulate in SIMULATIONS.items():
        if words.only in (None, name):
            sizes = words.rows or ([10, 20, 40] if name == "baselines" else [30, 100, 400])
            for line in simulate(words.pairs, sizes):
                sys.stdout.write(line + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
