"""The fixed cost of an attempt: wall time of `fit_model` less preparation and epochs.

    python benchmarks/attempts.py [--rounds 3] [--workers 1 2] [--no-cluster] [--json]

Local mode without and with a driver that is started ahead while rows are read, as the flow does it; then on
a Ray cluster of its own, started as `evergreen up` starts it, after one training that warms it. `prepare` and
`epochs` are the training's own; `start`, `import`, `gather` (until the first epoch), `between`, `wind_down`
and what the caller waits longer are the fixed cost.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from pipelines.environment import child_environment, set_environment, silence_telemetry

ROWS = 2_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--no-cluster", action="store_true")
    parser.add_argument("--json", action="store_true")
    words = parser.parse_args()
    silence_telemetry()
    os.environ.pop("RAY_ADDRESS", None)
    with tempfile.TemporaryDirectory(prefix="evergreen-bench-") as folder:
        found = measure_all(Path(folder), words)
    sys.stdout.write((json.dumps(found) if words.json else render(found)) + "\n")


def measure_all(folder: Path, words: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Medians of the seconds of each part, by setting."""
    from pipelines.training.processes import warm_up

    found = {}
    for name, ahead in (("local, cold", False), ("local, started ahead", True)):
        rounds = []
        for number in range(words.rounds):
            if ahead:
                warm_up()
                time.sleep(8)  # as long as the flow reads and checks rows
            rounds.append(measure(folder / f"{name}-{number}", workers=0, seed=number))
        found[name] = medians(rounds)
    if words.no_cluster:
        return found
    with cluster(folder / "cluster"):
        for workers in words.workers:
            rounds = [measure(folder / f"{workers}-{n}", workers, seed=n) for n in range(words.rounds + 1)]
            found[f"{workers} workers"] = medians(rounds[1:])  # the first one warmed the cluster
    return found


@contextmanager
def cluster(folder: Path) -> Iterator[None]:
    """A head node as `evergreen up` starts it, which `fit_model` uses meanwhile."""
    from evergreen.processes import free_ports, start, stop_all, wait_for_http
    from evergreen.stack import LOOPBACK, ray_command, ray_settings, write_secret
    from pipelines.home import Home

    folder.mkdir()
    write_secret(folder / "ray-token")
    ports = dict(zip(("ray", "gcs", "client", "agent"), free_ports(4), strict=True))
    url = f"http://{LOOPBACK}:{ports['ray']}"
    settings = ray_settings(Home(folder), url)
    with tempfile.TemporaryDirectory(prefix="evergreen-ray-", ignore_cleanup_errors=True) as place:
        head = start("head", ray_command(ports, Path(place)), folder / "log", child_environment(settings))
        try:
            if not wait_for_http(f"{url}/api/version", head, 120):
                sys.exit((folder / "log").read_text()[-3000:])
            set_environment(settings)
            yield
        finally:
            stop_all([head])


def measure(root: Path, workers: int, seed: int) -> dict[str, float]:
    """Seconds of one training of five epochs; another seed is another attempt, which the cluster tells by."""
    from pipelines.home import Home
    from pipelines.training.attempts import fit_model, plan_attempt
    from tests.pipelines.conftest import definition, keep_rows, trips

    plain = {"epochs": 5, "patience": 5, "batch_size": 64, "refit": False}
    training = plain | {"workers": workers, "seed": seed}
    config, home = definition(training=training, split={"by": "random"}), Home(root)
    attempt = plan_attempt(config, home, keep_rows(trips(ROWS), home), None)
    started = time.monotonic()
    parts: dict[str, float] = fit_model(config, attempt, []).parts
    wall = time.monotonic() - started
    return {"wall": wall, "fixed": wall - parts["prepare"] - parts["epochs"], **parts}


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(r[name] for r in rounds), 2) for name in rounds[0]}


def render(found: dict[str, Any]) -> str:
    lines = [f"seconds, medians; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"]
    for name, parts in found.items():
        lines.append(f"{name:>21}: " + ", ".join(f"{part} {value:.2f}" for part, value in parts.items()))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
