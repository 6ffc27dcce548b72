"""Where things lie under the home folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.environment import home_folder


@dataclass(frozen=True)
class PipelineFolder:
    """What belongs to one pipeline; nothing is created before it is written."""

    root: Path

    @property
    def rows(self) -> Path:
        """Delta: the accepted rows; its versions are the snapshots."""
        return self.root / "rows"

    @property
    def quarantine(self) -> Path:
        """Delta: rows that a check refused, with the reason."""
        return self.root / "quarantine"

    @property
    def incoming(self) -> Path:
        """Staged batches, <batch id>/part-*.parquet and what is wrong in them; refused ones stay."""
        return self.root / "incoming"

    @property
    def statistics(self) -> Path:
        """What each snapshot looks like: <version>.json."""
        return self.root / "statistics"

    @property
    def predictions(self) -> Path:
        """Delta: the prediction log."""
        return self.root / "predictions"

    @property
    def labels(self) -> Path:
        """Delta: late ground truth, by prediction id."""
        return self.root / "labels"

    @property
    def attempts(self) -> Path:
        return self.root / "attempts"

    @property
    def models(self) -> Path:
        """Verified copies of registered versions, for serving: <version>/."""
        return self.root / "models"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    def validation_page(self, batch: str) -> Path:
        """Where the page of what the checks found lies, once a batch was checked."""
        return self.reports / "validation" / f"{batch}.html"

    def lock(self, turn: str) -> Path:
        """What is locked while a process has its turn with the pipeline."""
        return self.root / f"{turn}.lock"


@dataclass(frozen=True)
class Home:
    """The folder that holds all state of an installation."""

    root: Path

    @classmethod
    def at(cls, given: Path | str | None = None) -> Home:
        return cls(home_folder(given))

    def pipeline(self, name: str) -> PipelineFolder:
        return PipelineFolder(self.root / "pipelines" / name)

    def pipelines(self) -> list[PipelineFolder]:
        """The folders of all pipelines that have one."""
        return [PipelineFolder(path) for path in sorted((self.root / "pipelines").glob("*")) if path.is_dir()]

    @property
    def ledger(self) -> Path:
        return self.root / "ledger.db"

    @property
    def mlflow(self) -> Path:
        return self.root / "mlflow"

    @property
    def prefect(self) -> Path:
        return self.root / "prefect"

    @property
    def stack(self) -> Path:
        """JSON: process ids and addresses of the local stack, while it is up."""
        return self.root / "stack.json"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def token(self) -> Path:
        """The bearer token of the prediction service, readable by its owner alone."""
        return self.root / "token"
