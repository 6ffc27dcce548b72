"""Aliases in MLflow, which say what the ledger says: `champion`, `previous`, and `challenger`, who waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import ModelUnusable, StackError
from pipelines.home import Home
from pipelines.registry.mlflow_store import connect, tracking_uri
from pipelines.registry.run_log import answers

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"
CHALLENGER = "challenger"


def point_aliases(home: Home, name: str, champion: int | None, previous: int | None) -> None:
    """Make MLflow say who is champion, None for nobody, and who was before; may be repeated.

    Raises ModelUnusable where MLflow has no such version of `champion`.
    """
    client = connect(home)
    if champion is None:
        take_alias(client, name, CHAMPION)
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
    if read_alias(home, name, CHALLENGER) == champion:
        client.delete_registered_model_alias(name, CHALLENGER)


def point_challenger(home: Home, name: str, version: int | None) -> None:
    """Make MLflow say which version waits to be champion, None for none. Raises StackError."""
    from mlflow.exceptions import MlflowException

    if read_alias(home, name, CHALLENGER) == version:
        return
    client = connect(home)
    try:
        if version is not None and knows_version(client, name, version):
            client.set_registered_model_alias(name, CHALLENGER, str(version))
        else:
            take_alias(client, name, CHALLENGER)
    except MlflowException as error:
        raise StackError(f"MLflow does not say that {version} is {CHALLENGER} of {name}: {error}") from error


def take_alias(client: MlflowClient, name: str, alias: str) -> None:
    """No version has the alias, which is so already where somebody deleted the whole model."""
    from mlflow.exceptions import MlflowException

    try:
        client.delete_registered_model_alias(name, alias)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def champion_alias(home: Home, name: str) -> int | None:
    """The version that MLflow calls champion, None where it calls none so. Raises StackError."""
    return read_alias(home, name, CHAMPION)


def read_alias(home: Home, name: str, alias: str) -> int | None:
    """The version that has an alias. Raises StackError."""
    from mlflow.exceptions import MlflowException

    try:
        found = connect(home).get_registered_model(name).aliases.get(alias)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise StackError(f"MLflow does not say who is {alias} of {name}: {error}") from error
        return None
    return None if found is None else int(found)


def require_answer(home: Home) -> None:
    """Raise StackError at once where MLflow does not answer: its own client would try for minutes."""
    if not answers(tracking_uri(home)):
        raise StackError(
            f"MLflow does not answer at {tracking_uri(home)}.", "`evergreen up` starts the stack."
        )


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
