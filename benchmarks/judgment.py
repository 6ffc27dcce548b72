"""The judgment's statistics: how fast the paired bootstrap is, and whether gates hold their level.

    python benchmarks/judgment.py [--only speed|levels] [--rows 1000000] [--pairs 1000] [--sizes 100 400]

`speed`: 10,000 paired resamples of two models' answers to `--rows` rows, from the answers to the interval of
the difference, each metric in a process of its own. Against it stand the floor, numpy's mean and variance of
the two columns that the metric is a mean of, and what a loop of numpy would take that draws rows and measures
both models again: 10,000 / 5 times five draws. Seconds hold for this machine now, the ratios are the result.

`levels`: the share of `--pairs` seeded simulated test sets on which a gate of level 0.05 lets the challenger
through. Superiority: both models are equally good. Non-inferiority: the challenger is worse by exactly the
margin, as measured on 4,000,000 rows. Each share should be at most 0.05, but for chance: 99 % of them are
then below the limit. Power: the chance foretold from each set's standard error, and the share that passed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

DRAWS, LOOPS, LEVEL = 10_000, 5, 0.05
BINARY = ("auc", "pr_auc", "log_loss", "brier", "ece", "accuracy", "balanced_accuracy", "f1")
REGRESSION = ("rmse", "mae", "r2")
WORSE = {"binary": 1.3, "regression": 1.1}  # noise of a challenger that is at the margin; the champion's is 1


def answers(task: str, random: Any, rows: int, noises: tuple[float, ...]) -> tuple[Any, list[Any]]:
    """True values or classes, one in three of them positive, and the answers of a model for each noise."""
    import numpy as np
    import pandas as pd

    if task == "regression":
        target = random.gamma(2, 2, rows)
        frames = [pd.DataFrame({"prediction": target + s * random.normal(size=rows)}) for s in noises]
        return pd.Series(target), frames
    signal = random.normal(-1, 1.5, rows)
    target = np.where(random.random(rows) < 1 / (1 + np.exp(-signal)), "yes", "no")
    frames = []
    for noise in noises:
        p = 1 / (1 + np.exp(-signal - noise * random.normal(size=rows)))
        frames.append(pd.DataFrame({"prediction": np.where(p > 0.5, "yes", "no"), "p_no": 1 - p, "p_yes": p}))
    return pd.Series(target), frames


# ------------------------------------------------------------------------------------------------ speed


def measure_speed(metric: str, rows: int) -> dict[str, float]:
    """Seconds of the bootstrap, of the floor and of the loop; MiB that the bootstrap added to the process."""
    import numpy as np

    from pipelines.evaluation.comparing import compare
    from pipelines.evaluation.metrics import find_statistic, read_rows
    from pipelines.evaluation.resampling import Resamples

    task = "regression" if metric in REGRESSION else "binary"
    random = np.random.default_rng(0)
    target, (first, second) = answers(task, random, rows, (0.3, 0.32))

    def statistics(picked: Any = slice(None)) -> Any:
        truth = target.iloc[picked]
        return [
            find_statistic(metric, read_rows(task, truth, frame.iloc[picked])) for frame in (first, second)
        ]

    compare(metric, {"a": statistics(slice(500))[0]}, Resamples(500))  # imports
    before, start = peak(), time.perf_counter()
    a, b = statistics()
    found = compare(metric, {"a": a, "b": b}, Resamples(rows, DRAWS)).difference("a", "b")
    seconds, added = time.perf_counter() - start, peak() - before
    start = time.perf_counter()
    _ = [(s.parts.mean(axis=0), s.parts.var(axis=0)) for s in (a, b)]
    floor = time.perf_counter() - start
    start = time.perf_counter()
    for _ in range(LOOPS):
        [s.value for s in statistics(random.integers(0, rows, rows))]
    loop = (time.perf_counter() - start) * DRAWS / LOOPS
    return {"seconds": seconds, "floor": floor, "loop": loop, "added_mib": added, "error": found.error}


def peak() -> float:
    """The most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# ------------------------------------------------------------------------------------------------ levels


def measure_levels(task: str, rows: int, pairs: int) -> dict[str, dict[str, float]]:
    """By metric the shares that pass, and for superiority over a model with WORSE noise the power."""
    import numpy as np

    from pipelines.evaluation.metrics import read_statistics

    random = np.random.default_rng(7)
    target, frames = answers(task, random, 4_000_000, (1.0, WORSE[task]))
    champion, challenger = (read_statistics(task, target, frame) for frame in frames)
    margins = {name: abs(champion[name].value - challenger[name].value) for name in champion}
    del target, frames, champion, challenger
    passed: dict[str, dict[str, float]] = {name: {} for name in margins}
    for question, noises in (
        ("superiority", (1.0, 1.0)),
        ("non-inferiority", (WORSE[task], 1.0)),
        ("power", (1.0, WORSE[task])),
    ):
        for name, share in pass_share(task, rows, pairs, question, noises, margins).items():
            passed[name] |= share
    return passed


def pass_share(
    task: str, rows: int, pairs: int, question: str, noises: tuple[float, ...], margins: dict[str, float]
) -> dict[str, dict[str, float]]:
    import numpy as np

    from pipelines.evaluation.comparing import compare
    from pipelines.evaluation.metrics import read_statistics
    from pipelines.evaluation.resampling import Resamples
    from pipelines.gates.champion import Question, decide
    from pipelines.gates.power import chance

    random, resamples = np.random.default_rng([rows, len(question)]), Resamples(rows, draws=4_000)
    verdicts: dict[str, list[bool]] = {name: [] for name in margins}
    foretold: dict[str, list[float]] = {name: [] for name in margins}
    for _ in range(pairs):
        target, frames = answers(task, random, rows, noises)
        challenger, champion = (read_statistics(task, target, frame) for frame in frames)
        for name in margins.keys() & challenger.keys() & champion.keys():
            models = {"challenger": challenger[name], "champion": champion[name]}
            difference = compare(name, models, resamples).difference("challenger", "champion")
            above = -margins[name] if question == "non-inferiority" else 0.0
            verdict = decide(difference, Question(above, margins[name], LEVEL, strict=above == 0))
            verdicts[name].append(verdict == "pass")
            foretold[name].append(chance(margins[name], difference.error, LEVEL))
    shares = {name: {question: float(np.mean(found))} for name, found in verdicts.items()}
    if question == "power":
        shares = {name: s | {"foretold": float(np.mean(foretold[name]))} for name, s in shares.items()}
    return shares


def limit(pairs: int) -> float:
    """The share that 99 % of gates which hold their level stay below."""
    from scipy.stats import binom

    return float(binom.ppf(0.99, pairs, LEVEL)) / pairs


# ------------------------------------------------------------------------------------------------ report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=1_000)
    parser.add_argument("--only", choices=["speed", "levels"])
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 400])
    parser.add_argument("--json", action="store_true")
    words = parser.parse_args()
    found: dict[str, Any] = {}
    if words.only != "levels":
        found["speed"] = {
            metric: alone(measure_speed, metric, words.rows) for metric in (*BINARY, *REGRESSION)
        }
    if words.only != "speed":
        found["limit"] = limit(words.pairs)
        found["levels"] = {
            f"{name}, {rows:,} rows": shares
            for task in WORSE
            for rows in words.sizes
            for name, shares in alone(measure_levels, task, rows, words.pairs).items()
        }
    sys.stdout.write((json.dumps(found) if words.json else render(found)) + "\n")


def alone(function: Any, *arguments: Any) -> Any:
    """In a process of its own, so that memory is this measurement's."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def render(found: dict[str, Any]) -> str:
    lines = []
    for metric, s in found.get("speed", {}).items():
        lines.append(
            f"{metric:18} {s['seconds']:6.2f} s, +{s['added_mib']:4.0f} MiB; {s['seconds'] / s['floor']:6.0f}"
            f" times the floor; a loop {s['loop'] / s['seconds']:8,.0f} times as long ({s['loop']:,.0f} s)"
        )
    if "levels" in found:
        lines.append(f"level {LEVEL}, limit {found['limit']:.3f}")
    for name, s in found.get("levels", {}).items():
        lines.append(
            f"{name:32} superiority {s['superiority']:.3f}  non-inferiority {s['non-inferiority']:.3f}"
            f"  power {s['power']:.2f}, foretold {s['foretold']:.2f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
