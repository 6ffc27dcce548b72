"""Web servers and S3: what is there is read, what is not is answered, and no secret is shown."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from pipelines.config import Data, Format
from pipelines.data.sources import Source, find_sources, open_source, remote
from pipelines.errors import ConfigError, DataError

from .conftest import free_port

FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})


def sources(address: str) -> list[Source]:
    return find_sources(Data(source=address, target="b"), Path())


def rows(source: Source) -> int:
    with open_source(source, Format()) as reading:
        return sum(table.num_rows for table in reading.tables())


def test_a_file_of_a_web_server(web: str, tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    FRAME.to_csv(tmp_path / "t.csv.gz", index=False)
    FRAME.to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.csv.gz", "t.parquet"):
        [source] = sources(f"{web}/{name}")
        assert (rows(source), source.bytes) == (2, (tmp_path / name).stat().st_size)
        assert source.stamp == sources(f"{web}/{name}")[0].stamp != ""
    before = sources(f"{web}/t.csv")[0].stamp
    pd.concat([FRAME, FRAME]).to_csv(tmp_path / "t.csv", index=False)
    assert sources(f"{web}/t.csv")[0].stamp != before


def test_a_web_file_that_changes_while_it_is_read(web: str, tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    with open_source(sources(f"{web}/t.csv")[0], Format()) as reading:
        tables = reading.tables()
        pd.concat([FRAME, FRAME]).to_csv(tmp_path / "t.csv", index=False)
        with pytest.raises(DataError, match="still being written"):
            list(tables)


def test_web_addresses_that_lead_nowhere(web: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        sources(f"{web}/none.csv")
    with pytest.raises(DataError, match="cannot be read"):
        sources(f"http://127.0.0.1:{free_port()}/t.csv")
    (tmp_path / "page.csv").write_text("<!DOCTYPE html><html>log in</html>")
    with pytest.raises(DataError, match="a web page"):
        rows(sources(f"{web}/page.csv")[0])
    with pytest.raises(ConfigError, match="gopher:// cannot be read here"):
        sources("gopher://host/t.csv")


def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setitem(remote.PATIENCE, "read", 0.3)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        with pytest.raises(DataError, match="no answer in time"):
            sources(f"http://127.0.0.1:{deaf.getsockname()[1]}/t.csv")


def test_no_secret_is_shown(web: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    monkeypatch.setenv("WORD", "hush")
    host = web.removeprefix("http://")
    [source] = sources(f"http://me:${{WORD}}@{host}/t.csv?X-Amz-Signature=${{WORD}}&v=1")
    assert "hush" not in repr(source)
    assert source.uri == f"http://***@{host}/t.csv?X-Amz-Signature=***&v=1"
    for broken in (
        f"http://me:hush@{host}/none.csv",
        f"http://me:hush@127.0.0.1:{free_port()}/t.csv?sig=hush",
    ):
        with pytest.raises(DataError) as caught:
            sources(broken)
        assert "hush" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"\$\{NOT_SET\}"):
        sources("s3://${NOT_SET}/t.csv")


def test_addresses_that_are_shown_alike_are_both_read(web: str, tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    said = Data(source=[f"{web}/t.csv?part=1", f"{web}/t.csv?part=2"], target="y")
    found = find_sources(said, tmp_path)
    assert [(source.uri, source.stamp) for source in found] == [(f"{web}/t.csv?part=***", "")] * 2
    assert [rows(source) for source in found] == [2, 2]


@pytest.fixture
def filled(bucket: str) -> str:
    import s3fs

    system = s3fs.S3FileSystem()
    for name in ("day/b.csv", "day/a.csv", "day/_half.csv", "day/notes.md"):
        system.pipe(f"rows/{name}", FRAME.to_csv(index=False).encode())
    with system.open("rows/day/c.parquet", "wb") as file:
        FRAME.to_parquet(file)
    return bucket


def test_s3_file_folder_and_glob(filled: str) -> None:
    assert [source.uri for source in sources(f"{filled}/day/a.csv")] == ["s3://rows/day/a.csv"]
    assert [source.uri for source in sources(f"{filled}/day/*.csv")] == [
        "s3://rows/day/a.csv",
        "s3://rows/day/b.csv",
    ]
    folder = sources(f"{filled}/day")
    assert [source.uri.rpartition("/")[2] for source in folder] == ["a.csv", "b.csv", "c.parquet"]
    assert [rows(source) for source in folder] == [2, 2, 2]
    assert all(source.stamp and source.bytes for source in folder)


def test_a_delta_table_in_s3(bucket: str) -> None:
    import deltalake

    table = pa.Table.from_pandas(FRAME)
    deltalake.write_deltalake(f"{bucket}/table", table, storage_options={"allow_http": "true"})
    [source] = sources(f"{bucket}/table")
    assert (source.kind, rows(source)) == ("delta", 2)


def test_s3_that_is_not_there_or_not_ours(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    for address in ("s3://nowhere/a.csv", f"{filled}/none.csv", f"{filled}/*.parquet"):
        with pytest.raises(DataError, match="no such file"):
            sources(address)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(DataError, match="credentials"):
        sources(f"{filled}/day/a.csv")
