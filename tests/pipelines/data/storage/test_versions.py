"""The versions of a pipeline's data: what each has, without opening each."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.data.storage import versions
from pipelines.data.storage.tables import open_table
from pipelines.data.storage.versions import find_version, list_versions, stored_files
from pipelines.errors import UsageError


def test_versions_are_those_of_the_table(table: Any) -> None:
    table.take_in("a,y\n1,1\n2,2\n", {1: "bad"})
    table.take_in("a,y\n1,1\n5,5\n6,6\n")
    table.columns = {"a": "number", "y": "number"}  # all files are replaced
    table.take_in()
    found = list_versions(table.home, "p")
    path = table.home.pipeline("p").rows
    assert [v.rows for v in found] == [sum(stored_files(path, v.version).values()) for v in found]
    assert [(v.version, v.quarantined, v.complete) for v in found][:2] == [(0, 1, True), (1, 0, True)]
    assert all(v.batches and v.sources == [str(table.folder / "t.csv")] for v in found[:2])
    for name in set(stored_files(path, 0)) - set(stored_files(path, found[-1].version)):
        (path / name).unlink()
    assert [v.complete for v in list_versions(table.home, "p")] == [False] * (len(found) - 1) + [True]


def test_no_version_is_opened_to_find_or_list_them(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(4):
        table.take_in(f"a,y\nx,{i}\n")
    opened: list[int | None] = []

    def watch(path: Any, version: int | None = None) -> Any:
        opened.append(version)
        return open_table(path, version)

    monkeypatch.setattr(versions, "open_table", watch)
    assert (find_version(table.home, "p"), find_version(table.home, "p", "p@2")) == (3, 2)
    assert opened == [None, None]
    assert [v.rows for v in list_versions(table.home, "p")] == [1, 2, 3, 4]
    assert opened[2:] == [None, 0]
    with pytest.raises(UsageError, match="no version 9"):
        find_version(table.home, "p", "9")
