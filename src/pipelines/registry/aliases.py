"""Aliases in MLflow: `champion` and `previous` say what the ledger says, `challenger` is the newest one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import ModelUnusable, StackError
from pipelines.home import Home
from pipelines.registry.mlflow_store import connect

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"


def point_aliases(home: Home, name: str, champion: int | None, previous: int | None) -> None:
    """Make MLflow say who is champion, None for nobody, and who was before; may be repeated.

    Raises ModelUnusable where MLflow has no such version of `champion`.
    """
    client = connect(home)
    if champion is None:
        take_alias(client, name)
        return
    if not knows_version(client, name, champion):
        raise ModelUnusable(
            f"Version {champion} of {name} is deleted in MLflow, which gives no number twice.",
            f"`evergreen deploy {name} --version N` chooses another, or train again.",
        )
    client.set_registered_model_alias(name, CHAMPION, str(champion))
    if previous is not None and knows_version(client, name, previous):
        client.set_registered_model_alias(name, "previous", str(previous))
    else:
        client.delete_registered_model_alias(name, "previous")
    aliases = client.get_registered_model(name).aliases
    if str(aliases.get("challenger")) == str(champion):
        client.delete_registered_model_alias(name, "challenger")


def take_alias(client: MlflowClient, name: str) -> None:
    """Nobody is champion, which is so already where somebody deleted the whole model."""
    from mlflow.exceptions import MlflowException

    try:
        client.delete_registered_model_alias(name, CHAMPION)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def champion_alias(home: Home, name: str) -> int | None:
    """The version that MLflow calls champion, None where it calls none so. Raises StackError."""
    from mlflow.exceptions import MlflowException

    try:
        found = connect(home).get_registered_model(name).aliases.get(CHAMPION)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise StackError(f"MLflow does not say who is champion of {name}: {error}") from error
        return None
    return None if found is None else int(found)


def has_version(home: Home, name: str, version: int) -> bool:
    """Whether MLflow has a version: people delete them. Raises StackError."""
    return knows_version(connect(home), name, version)


def knows_version(client: MlflowClient, name: str, version: int) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        client.get_model_version(name, str(version))
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise StackError(
                f"MLflow does not say whether it has {name} version {version}: {error}"
            ) from error
        return False
    return True
