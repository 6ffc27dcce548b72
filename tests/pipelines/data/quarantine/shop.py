"""A shop whose rows may wait in quarantine: deliver, check, replay, export, edit."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.config import PipelineConfig
from pipelines.data.ingestion.batches import stage_batch
from pipelines.data.quarantine.replays import (
    accept_replay,
    export_quarantine,
    stage_replay,
    waiting_rows,
)
from pipelines.data.storage.snapshots import accept_batch, current_snapshot, read_snapshot
from pipelines.home import Home
from pipelines.records import Batch, Snapshot, ValidationReport
from pipelines.validation.batch import validate_batch

UP_TO = "expect_column_values_to_be_between"


@dataclass
class Shop:
    """A pipeline on files of `folder`, whose rule lets sizes from 0 to `most` in."""

    folder: Path
    most: float = 10
    decimal: str = "."
    source: str = "shop.csv"
    key: str | None = None

    @property
    def home(self) -> Home:
        return Home(self.folder / "home")

    @property
    def config(self) -> PipelineConfig:
        rule = {UP_TO: {"column": "size", "min_value": 0, "max_value": self.most}}
        fmt = {"decimal": self.decimal}
        data = {
            "source": self.source,
            "target": "sold",
            "format": fmt,
            **({"key": self.key} if self.key else {}),
        }
        return PipelineConfig.model_validate(
            {
                "pipeline": "shop",
                "task": "binary",
                "metric": "auc",
                "data": data,
                "columns": {
                    "size": {"type": "number"},
                    "kind": {"type": "category"},
                    "seen": {"type": "time", "optional": True},
                    "sold": {"type": "category"},
                },
                "validation": {"checks": [rule], "most_quarantined": 1.0, "drift": None},
                "folder": self.folder,
            }
        )

    def write(self, *lines: str, name: str = "shop.csv") -> None:
        (self.folder / name).write_text("\n".join(["size,kind,sold", *lines]) + "\n", encoding="utf-8")

    def check(self, batch: Batch) -> tuple[ValidationReport, Snapshot]:
        report = validate_batch(self.config, self.home, batch)
        accept = accept_replay if batch.replays else accept_batch
        return report, accept(self.home, batch, report)

    def take_in(self, *lines: str) -> ValidationReport:
        self.write(*lines)
        return self.check(stage_batch(self.config, self.home))[0]

    def replay(self, repaired: Path | None = None) -> ValidationReport:
        return self.check(stage_replay(self.config, self.home, repaired))[0]

    def export(self, name: str = "waiting.csv") -> Path:
        export_quarantine(self.config, self.home, self.folder / name)
        return self.folder / name

    def accepted(self) -> list[tuple[Any, ...]]:
        snapshot = current_snapshot(self.home, "shop")
        rows = read_snapshot(snapshot)[["size", "kind", "sold"]] if snapshot else pd.DataFrame()
        return list(rows.astype(object).where(rows.notna(), None).itertuples(index=False, name=None))

    def waiting(self) -> list[dict[str, Any]]:
        rows = waiting_rows(self.home, "shop")
        return [] if rows is None else rows.to_pylist()


GOOD = ("1,a,yes", "2,a,no")


def edit(path: Path, change: Callable[[dict[str, str]], dict[str, str] | None]) -> Path:
    """Rewrite each line of a CSV as a spreadsheet would; a line that becomes None is taken out."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        lines, names = [line for row in reader if (line := change(row))], reader.fieldnames or []
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(lines)
    return path


def sizes(*new: str) -> Callable[[dict[str, str]], dict[str, str]]:
    """Each row gets the next of these sizes."""
    values = iter(new)
    return lambda row: {**row, "size": next(values)}


def first_sizes(new: list[str]) -> Callable[[dict[str, str]], dict[str, str] | None]:
    """The first rows get these sizes, the others are taken out."""
    values = iter(new)
    return lambda row: {**row, "size": size} if (size := next(values, None)) else None


# ------------------------------------------------------------------------------------------------ looking
