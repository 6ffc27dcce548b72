"""A pipeline that a delivery may spoil, and cases: what is delivered, and the answer that is due."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from pipelines.config import PipelineConfig, load_config
from pipelines.data.definition.proposal import init_definition
from pipelines.data.ingestion.batches import stage_batch
from pipelines.data.storage.snapshots import accept_batch
from pipelines.data.storage.tables import open_table
from pipelines.errors import EvergreenError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Batch, Promotion, RowCounts, ValidationReport, count_rows
from pipelines.validation.batch import validate_batch
from pipelines.validation.page import write_page
from pipelines.validation.report import render_validation

HELD, DELIVERED, NEXT = 300, 60, 40
ZONES = ["Mitte", "Süd", "Nordost"]
Writer = Callable[[Path, pd.DataFrame], object]


def rides(start: int, rows: int, target: str = "late") -> pd.DataFrame:
    """Rows of one endless table, by place: `late` (yes or no) or `fare` follows from the other columns."""
    rng = np.random.default_rng([7, start])
    zone = rng.choice(ZONES, rows)
    distance = np.round(rng.gamma(2.0, 1500.0, rows) + 100.25, 2)
    minutes = rng.integers(3, 90, rows).astype(float)
    fare = np.round(distance / 400 + minutes / 3 + 5.0 * (zone == "Süd"), 2)
    columns = {
        "at": pd.Timestamp("2025-03-01 00:07") + pd.to_timedelta(np.arange(start, start + rows) * 37, "min"),
        "zone": zone.astype(object),
        "distance": distance,
        "minutes": minutes,
        target: fare if target == "fare" else np.where(fare + rng.normal(0, 2, rows) > 24, "yes", "no"),
    }
    return pd.DataFrame(columns)


def to_csv(frame: pd.DataFrame, **options: Any) -> str:
    return str(frame.to_csv(index=False, **options))


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    path.write_text(to_csv(frame), encoding="utf-8")


@dataclass(frozen=True)
class Form:
    """How the good rows of a pipeline are written, and what the definition has beside `init`'s."""

    name: str = "plain"
    target: str = "late"
    write: Writer = write_csv
    definition: dict[str, Any] = field(default_factory=dict)
    ending: str = "csv"


PLAIN = Form()
FARES = Form("fares", target="fare")


@dataclass(frozen=True)
class Answer:
    """What taking in a delivery came to: `error`, or a batch and its report; `shown` is what people see."""

    error: EvergreenError | None
    batch: Batch | None = None
    report: ValidationReport | None = None
    counts: RowCounts | None = None
    shown: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """The message, or all warnings and findings."""
        if self.error is not None:
            return str(self.error)
        assert self.batch is not None
        assert self.report is not None
        findings = [result.message for result in self.report.results if not result.passed]
        return "\n".join([*self.batch.warnings, *self.report.warnings, *findings])


@dataclass
class Pipeline:
    """A pipeline with one good batch and a champion, in its own home; `inbox` is where a case delivers."""

    root: Path
    definition: Path
    form: Form

    @property
    def home(self) -> Home:
        return Home(self.root / "home")

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    @property
    def config(self) -> PipelineConfig:
        return load_config(self.definition)

    @property
    def name(self) -> str:
        return "rides"

    @property
    def rows(self) -> pd.DataFrame:
        """The good rows of which a case makes its delivery."""
        return rides(HELD, DELIVERED, self.form.target)

    def define(self, changes: dict[str, Any]) -> None:
        """Change the definition from here on; sections are merged."""
        plain = yaml.safe_load(self.definition.read_text(encoding="utf-8"))
        plain["data"]["source"] = str(self.config.folder / plain["data"]["source"])
        text = yaml.safe_dump(merge(plain, changes), allow_unicode=True, sort_keys=False)
        self.definition = self.root / "pipeline.yaml"
        self.definition.write_text(text, encoding="utf-8")

    def ingest(self, *delivery: Path) -> Answer:
        """Take the delivery in, as the flow `ingestion` does; a failure that is not ours passes through."""
        batch = report = counts = None
        shown: list[str] = []
        try:
            config = self.config
            batch = stage_batch(config, self.home, [str(path) for path in delivery])
            report = validate_batch(config, self.home, batch)
            page = write_page(self.home, batch, report)
            shown = [page.read_text(encoding="utf-8"), render_validation(batch, report, page)]
            counts = count_rows(batch, report)
            accept_batch(self.home, batch, report)
        except EvergreenError as error:
            return Answer(error, batch, report, counts, (*shown, error.message, error.hint))
        told = [*batch.warnings, *report.warnings, *(r.message for r in report.results)]
        return Answer(None, batch, report, counts, (*shown, *told))

    # -------------------------------------------------------------------------------------- what is there

    def held(self) -> pd.DataFrame:
        """The accepted rows with `_seq`, in the order of intake."""
        return self.stored(self.home.pipeline(self.name).rows)

    def waiting(self) -> pd.DataFrame:
        """The rows in quarantine, `_reason` and `_unread` among their columns."""
        return self.stored(self.home.pipeline(self.name).quarantine)

    def stored(self, path: Path) -> pd.DataFrame:
        table = open_table(path)
        if table is None:
            return pd.DataFrame({"_seq": np.empty(0, np.int64)})
        frame: pd.DataFrame = table.to_pyarrow_dataset().to_table().to_pandas()
        return frame.sort_values("_seq", ignore_index=True)

    def champions(self) -> list[Promotion]:
        return Ledger.open(self.home).champions(self.name)

    def intakes(self) -> list[tuple[str, str]]:
        return [(intake.batch.id, intake.state) for intake in Ledger.open(self.home).intakes(self.name)]


def merge(old: Any, new: Any) -> Any:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {**old, **{key: merge(old.get(key), value) for key, value in new.items()}}


def same(rows: pd.DataFrame) -> pd.DataFrame:
    return rows


Deliver = Callable[[Pipeline], Path]


@dataclass(frozen=True)
class Case:
    """One kind of bad input. Without `error`, rows are taken in: so many each; else nothing is, and a batch
    that was read and refused has `refused` rows. `says` are patterns, each to be found in the answer.
    `read_as` makes of the good rows those that are to be held, in their order; None: they are not compared.
    """

    name: str
    deliver: Deliver
    error: type[EvergreenError] | None = None
    says: tuple[str, ...] = ()
    accepted: int = 0
    quarantined: int = 0
    known: int = 0
    refused: int = 0
    form: Form = PLAIN
    definition: dict[str, Any] = field(default_factory=dict)
    read_as: Callable[[pd.DataFrame], pd.DataFrame] | None = same
    after: Callable[[Pipeline], None] | None = None  # more to assert, before the next batch


def file(text: Callable[[pd.DataFrame], str | bytes], name: str = "delivery.csv") -> Deliver:
    """A delivery of one file, its content made of the good rows."""

    def deliver(pipeline: Pipeline) -> Path:
        content, path = text(pipeline.rows), pipeline.inbox / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (0, 0))  # no writer is waited for who would end the last line
        return path

    return deliver


# ------------------------------------------------------------------------------------------------ founding


def found_pipeline(folder: Path, form: Form) -> Pipeline:
    """A pipeline as `init` defines it, its first rows taken in, with a champion."""
    folder.mkdir(parents=True)
    source = folder / f"rides.{form.ending}"
    form.write(source, rides(0, HELD, form.target))
    init_definition(str(source), form.target, "at", folder / "pipeline.yaml")
    pipeline = Pipeline(folder, folder / "pipeline.yaml", form)
    if form.definition:
        pipeline.define(form.definition)
    answer = pipeline.ingest()
    assert answer.error is None, answer.error
    assert answer.counts == RowCounts(read=HELD, known=0, accepted=HELD)
    first = {"version": 1, "previous": None, "attempt": "rides-1", "cause": None, "why": "it is good"}
    promotion = Promotion(pipeline="rides", seq=0, since=datetime(2025, 6, 1), **first)
    ledger = Ledger.open(pipeline.home)
    ledger.confirm(ledger.promote(promotion))
    return pipeline


def copy_pipeline(found: Pipeline, root: Path) -> Pipeline:
    """The same pipeline in another home; its source stays where it is, so it is not read again."""
    (root / "inbox").mkdir(parents=True)
    shutil.copytree(found.root / "home", root / "home", symlinks=True)
    return Pipeline(root, found.definition, found.form)
