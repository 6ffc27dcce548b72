"""A pipeline on one file: write it, take it in, look at what is held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipelines.config import PipelineConfig
from pipelines.data.ingestion.batches import stage_batch
from pipelines.data.storage.snapshots import accept_batch, current_snapshot, read_snapshot
from pipelines.home import Home
from pipelines.records import Batch, Snapshot, ValidationReport


@dataclass
class Table:
    """Pipeline `p` on `t.csv` in `folder`, target y; `data` and `columns` are its sections."""

    folder: Path
    data: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=lambda: {"a": "category", "y": "number"})

    @property
    def home(self) -> Home:
        return Home(self.folder / "home")

    @property
    def config(self) -> PipelineConfig:
        specs = {
            name: {"type": spec} if isinstance(spec, str) else spec for name, spec in self.columns.items()
        }
        data = {"source": "t.csv", "target": "y", **self.data}
        plain = {"pipeline": "p", "task": "regression", "metric": "rmse", "data": data, "columns": specs}
        return PipelineConfig.model_validate(plain | {"folder": self.folder})

    def write(self, text: str, name: str = "t.csv") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def stage(self, *extra: Path) -> Batch:
        return stage_batch(self.config, self.home, [str(path) for path in extra])

    def judge(
        self, batch: Batch, bad: dict[int, str] | None = None, refused: str | None = None
    ) -> ValidationReport:
        """A report that finds fault with the rows of these `_seq`; reasons are split at |."""
        path = Path(batch.folder) / "failures.parquet"
        lines = [(seq, reason) for seq, said in (bad or {}).items() for reason in said.split("|")]
        if lines:
            pd.DataFrame(lines, columns=["_seq", "reason"]).to_parquet(path)
        return ValidationReport(
            pipeline="p",
            batch=batch.id,
            rows=batch.rows,
            quarantined=len(bad or {}),
            results=[],
            refused=refused,
            failures_path=str(path) if lines else None,
        )

    def take_in(
        self, text: str | None = None, bad: dict[int, str] | None = None, *extra: Path
    ) -> tuple[Batch, Snapshot]:
        if text is not None:
            self.write(text)
        batch = self.stage(*extra)
        return batch, accept_batch(self.home, batch, self.judge(batch, bad))

    def held(self) -> list[tuple[Any, ...]]:
        snapshot = current_snapshot(self.home, "p")
        assert snapshot is not None
        return list(read_snapshot(snapshot).itertuples(index=False, name=None))


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


@pytest.fixture
def make_table() -> Callable[[Path], Table]:
    return Table
