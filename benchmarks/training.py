"""Samples a second of the training loop against the best loop written by hand; two workers against one.

    python benchmarks/training.py [--kinds mlp tabm] [--device cpu|cuda] [--precision fp32|bf16] [--compile]
                                  [--rows-in-memory 100000] [--batch 512] [--workers] [--json]

The loop by hand holds its rows on the device, shuffles them once an epoch, slices, and looks at no loss: same
network, optimizer, clipping and precision. Both take turns in one process; the figure is the median ratio of
neighbouring epochs. It needs torch, tabm, rtdl_num_embeddings, numpy, pydantic and fsspec alone.
`--workers` trains with two workers of a thread each and with one: global batch 16,384.
`--rows 20000000` measures seconds and memory of a training on a table of so many rows: see large_table.py;
`--rows 2000000 --stream` those of the same training by Ray Train from arrays and from a stream.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipelines.config import Model, Training
from pipelines.models.bundle import Description
from pipelines.models.networks import build_network, find_bins
from pipelines.training.job import FitJob
from pipelines.training.loop import Loop

COLUMNS = 20


def make_job(place: Path, kind: str, rows: int, training: Training) -> FitJob:
    """A regression on seeded normal numbers, all its files in `place`."""
    x = np.random.default_rng(7).normal(size=(rows, COLUMNS)).astype("float32")
    y = (x[:, 0] + x[:, 1] * x[:, 2]).astype("float32")
    held = min(10_000, rows // 5)
    arrays = {"x": x, "y": y, "weight": np.ones(rows, "float32")}
    arrays |= {"x_validation": x[:held], "y_validation": y[:held]}
    (place / "arrays").mkdir(parents=True)
    for name, array in arrays.items():
        np.save(place / "arrays" / f"{name}.npy", array)
    description = Description(
        kind=kind,
        task="regression",
        target="y",
        timestamp=None,
        types={},
        classes=[],
        bins=find_bins(x),
        cardinalities=[],
        model=Model(kind=kind),
    )
    return FitJob(
        name="benchmark",
        root=place,
        arrays=place / "arrays",
        place=place,
        description=description,
        metric="rmse",
        training=training,
    )


class ByHand:
    """The best loop that we know how to write for one process."""

    def __init__(self, loop: Loop, compiled: bool) -> None:
        self.x, self.y, self.batch, self.device = loop.rows.x, loop.rows.y, loop.batch_size, loop.device
        network = build_network(loop.description, loop.job.bundle).to(self.device)
        self.parameters = list(network.parameters())
        self.network = torch.compile(network) if compiled else network
        self.optimizer = torch.optim.AdamW(self.parameters, lr=2e-3, weight_decay=1e-4, fused=True)
        self.bf16 = loop.training.precision == "bf16"
        self.ensemble = loop.description.kind == "tabm"

    def epoch(self) -> None:
        order = torch.randperm(len(self.x), device=self.device)
        x, y = self.x[order], self.y[order]
        self.network.train()
        for start in range(0, len(x) - self.batch + 1, self.batch):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                outputs = self.network(x[start : start + self.batch])
            target = y[start : start + self.batch]
            outputs = outputs.float()
            errors = outputs[:, :, 0] - target[:, None] if self.ensemble else outputs[:, 0] - target
            errors.square().mean().backward()
            torch.nn.utils.clip_grad_norm_(self.parameters, 1.0, foreach=True)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)


def compare(kind: str, place: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Epochs of ours and of the loop by hand in turns; samples a second of each, and their median ratio."""
    training = Training(
        epochs=1000, patience=1000, batch_size=given.batch, precision=given.precision, compile=given.compile
    )
    loop = Loop(make_job(place, kind, given.rows_in_memory, training), torch.device(given.device))
    by_hand = ByHand(loop, given.compile)
    loop.train_epoch()  # imports, compilation, threads
    by_hand.epoch()
    pairs = [
        (measure(loop.train_epoch, loop.device), measure(by_hand.epoch, loop.device))
        for _ in range(given.epochs)
    ]
    rows = loop.batches * loop.batch_size
    return {
        "what": f"{kind} on {given.device}, {given.precision}{', compiled' if given.compile else ''}",
        "rows": len(loop.rows),
        "batch": loop.batch_size,
        "samples_per_second": round(rows / statistics.median(a for a, _ in pairs)),
        "by_hand": round(rows / statistics.median(b for _, b in pairs)),
        "ratio": round(statistics.median(b / a for a, b in pairs), 3),
        "ratios": [round(b / a, 3) for a, b in pairs],
    }


def measure(epoch: Any, device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    epoch()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


# ------------------------------------------------------------------------------------------------ two workers


def compare_workers(kind: str, place: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Median samples a second in the steady state on two workers of a thread each, and on one."""
    from pipelines.training.distributed import Resources, connect_ray
    from pipelines.training.team import let_go, train_in_team

    connect_ray()
    speeds = {}
    for workers in (1, 2):
        training = Training(epochs=6, patience=6, batch_size=16_384, workers=workers)
        job = make_job(place / str(workers), kind, given.rows_in_memory, training)
        train_in_team(job, Resources(workers, cpus=1))
        let_go()
        told = [json.loads(line) for line in (job.root / "progress.jsonl").read_text().splitlines()]
        speeds[workers] = statistics.median(row["samples_per_second"] for row in told[1:])
    return {
        "what": f"{kind}, two workers against one, a thread each",
        "rows": given.rows_in_memory,
        "batch": 16_384,
        "samples_per_second": speeds[2],
        "one": speeds[1],
        "ratio": round(speeds[2] / speeds[1], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", nargs="+", default=["mlp", "tabm"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--rows-in-memory", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--workers", action="store_true")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.rows:
        from large_table import compare_stream, run_large

        measured = (compare_stream if given.stream else run_large)(given.rows, 16_384)
        print(json.dumps(measured, indent=2))  # noqa: T201
        return
    measure_kind = compare_workers if given.workers else compare
    with tempfile.TemporaryDirectory(prefix="evergreen-bench-") as folder:
        results = [measure_kind(kind, Path(folder) / kind, given) for kind in given.kinds]
    if given.json:
        print(json.dumps(results))  # noqa: T201
        return
    print(f"{'what':<50}{'rows':>10}{'batch':>8}{'samples/s':>12}{'against':>12}{'ratio':>8}")  # noqa: T201
    for r in results:
        other = r.get("by_hand", r.get("one"))
        line = f"{r['what']:<50}{r['rows']:>10,}{r['batch']:>8,}{r['samples_per_second']:>12,.0f}"
        print(f"{line}{other:>12,.0f}{r['ratio']:>8.3f}")  # noqa: T201


if __name__ == "__main__":
    main()
