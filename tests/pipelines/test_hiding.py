"""No secret of an address is shown, wherever it stands and whatever it is called."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.config import Data, PipelineConfig
from pipelines.data.sources import find_sources
from pipelines.data.sources.source import Source, plain_reason
from pipelines.hiding import hide_secrets
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.outcomes import open_attempt
from pipelines.records import Attempt, Snapshot

ODBC = "mssql+pyodbc:///?odbc_connect=DRIVER%3DX%3BServer%3Dhost%3BUID%3Dme%3BPWD%3Dhush%23er"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://hushed@host/a.csv", "https://***@host/a.csv"),
        ("https://me:hushed@host:80/a.csv?page=2", "https://***@host:80/a.csv?page=2"),
        ("https://host/a?code=hush&pwd=hush&auth=hush", "https://host/a?code=***&pwd=***&auth=***"),
        ("https://host/a?hush&page=hush%20%3D", "https://host/a?***&page=***"),
        ("https://host/a.csv#access_token=hush", "https://host/a.csv"),
        ("s3://key:hu/sh@bucket/a#1.csv", "s3://key:***@bucket/a#1.csv"),
        ("https://host:8080/a@b.csv", "https://host:8080/a@b.csv"),
        ("folder/a?token=1.csv", "folder/a?token=1.csv"),
    ],
)
def test_addresses(address: str, shown: str) -> None:
    assert hide_secrets(address) == shown


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://ann:hush@h/db?password=hunter2", "postgresql://ann:***@h/db?password=***"),
        (
            "postgresql://h/db?sslpassword=hush&sslmode=require",
            "postgresql://h/db?sslpassword=***&sslmode=require",
        ),
        (ODBC, "mssql+pyodbc:///?odbc_connect=DRIVER=X;Server=host;UID=***;PWD=***"),
    ],
)
def test_databases(address: str, shown: str) -> None:
    [source] = find_sources(Data(source=address, table="t", target="y"), Path())
    assert source.uri == shown
    assert "hush" not in repr(source)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql://h/db?password=hunter2", 'connection with password "hunter2" failed'),
        (ODBC, "login of hush#er (PWD=hush%23er) failed"),
        ("https://hunter2@host/a", "401 for https://hunter2@host/a"),
        ("https://host/a?code=hunter2", "moved to https://other/a?code=hunter2&x=hush"),
        ("https://host/a#token=hunter2", "no token=hunter2 here"),
        ("postgresql://me:hu%40nter2@host/db", "no hu@nter2 or hu%40nter2"),
    ],
)
def test_words_of_errors(address: str, said: str) -> None:
    words = plain_reason(ValueError(said), Source(hide_secrets(address), "", None, "sql", address))
    assert "***" in words or "here" in words
    assert not any(secret in words for secret in ("hush", "hunter", "nter2"))


def test_the_ledger_has_a_definition_without_its_passwords(home: Home, define: Any) -> None:
    data = {"source": ["postgresql://me:hushed@host/db", "a.csv"], "table": "t", "target": "y"}
    training = {"checkpoints": "s3://key:hushed@bucket/checkpoints"}
    snapshot = Snapshot(pipeline="trips", uri="rows", version=1, rows=10, fingerprint="f")
    config = define(data=data, split={"by": "random"}, training=training)
    open_attempt(config, home, Attempt(id="trips-1", pipeline="trips", snapshot=snapshot, folder="a"))
    row = Ledger.open(home).attempt("trips-1")
    assert row is not None
    kept = PipelineConfig.model_validate(row.config)
    assert kept.data.source == ["postgresql://me:***@host/db", "a.csv"]
    assert kept.training.checkpoints == "s3://key:***@bucket/checkpoints"
    assert not [file for file in home.root.rglob("*") if file.is_file() and b"hushed" in file.read_bytes()]
