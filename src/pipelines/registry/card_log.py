"""A version's model card in MLflow: artifacts of its run, and its description in short."""

from __future__ import annotations

from pathlib import Path

from pipelines.home import Home
from pipelines.registry.aliases import require_answer
from pipelines.registry.mlflow_store import connect

NAME = "model_card"


def log_card(home: Home, pipeline: str, version: int, run_id: str, page: Path, short: str) -> str | None:
    """Put the card's HTML and the Markdown beside it to the run; why not, where MLflow does not take it.

    Raises StackError where it does not answer.
    """
    from mlflow.exceptions import MlflowException

    require_answer(home)
    client = connect(home)
    try:
        for suffix in (".md", ".html"):
            client.log_text(run_id, page.with_suffix(suffix).read_text(encoding="utf-8"), f"{NAME}{suffix}")
        client.update_model_version(pipeline, str(version), description=short)
    except MlflowException as error:
        return str(error)
    return None
