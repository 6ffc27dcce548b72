"""The service over real HTTP: what it answers, what it refuses, and what reaches the log."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from pipelines.errors import DataError, StackError
from pipelines.serving import client
from tests.waiting import PATIENCE

ROW = {"x": 2, "zone": "a"}


def refusal(response: httpx.Response) -> tuple[int, str]:
    error = response.json()["error"]
    assert set(error) == {"type", "message", "hint"}
    assert error["message"]
    assert error["hint"]
    return response.status_code, error["type"]


def test_rows_are_answered_in_order_with_ids_of_their_own(start: Any) -> None:
    answer = start().post([{"x": i, "zone": None} for i in range(300)]).json()
    assert (answer["pipeline"], answer["version"]) == ("rides", 1)
    assert [row["prediction"] for row in answer["predictions"]] == [i * 100 + 1 for i in range(300)]
    assert len({row["prediction_id"] for row in answer["predictions"]}) == 300


def test_classes_come_with_their_shares(start: Any) -> None:
    class Classes:
        task, features, inputs, timestamp = "binary", ["x"], ["x"], None
        column_types = {"x": "number"}

        def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
            return pd.DataFrame({"prediction": ["yes"] * len(frame), "p_no": 0.25, "p_yes": 0.75})

    answer = start(load=lambda *_: Classes()).post([{"x": 1}]).json()["predictions"][0]
    del answer["prediction_id"]
    assert answer == {"prediction": "yes", "p_no": 0.25, "p_yes": 0.75}


def test_each_prediction_is_logged_once_with_what_was_seen_and_answered(start: Any) -> None:
    service = start()
    with ThreadPoolExecutor(8) as pool:
        rows = [[{"x": i, "zone": "a", "at": "2026-05-01T13:00"}] * (1 + i % 3) for i in range(60)]
        answers = [r.json() for r in pool.map(service.post, rows)]
    without_time = service.post([{"x": 1, "zone": None}]).json()["predictions"][0]["prediction_id"]
    service.stop()
    log = pd.concat(service.logged, ignore_index=True).set_index("_id")
    sent = {p["prediction_id"]: p["prediction"] for a in answers for p in a["predictions"]}
    assert log.index.is_unique
    assert set(log.index) == {*sent, without_time}
    assert all(log.loc[i, "_prediction"] == value for i, value in sent.items())
    assert set(log["_version"]) == {1}
    assert set(log["_channel"]) == {"online"}
    assert (log.loc[list(sent), "_time"] == pd.Timestamp("2026-05-01 13:00")).all()
    assert log.loc[without_time, "_time"] == log.loc[without_time, "_scored_at"]
    assert list(log.columns[:3]) == ["x", "zone", "at"]
    assert service.sink.dropped == 0


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"content": b"{"}, (400, "MalformedBody")),
        ({"json": {"rows": []}}, (400, "MalformedBody")),
        ({"json": {"rows": [{"x": 1}]}}, (422, "InvalidRow")),
        ({"json": {"rows": [{**ROW, "y": 1}]}}, (422, "InvalidRow")),
        ({"json": {"rows": [{**ROW, "x": "2"}]}}, (422, "InvalidRow")),
        ({"content": b'{"rows": [{"x": NaN, "zone": "a"}]}'}, (422, "InvalidRow")),
        ({"content": b'{"rows": [{"x": 1e999, "zone": "a"}]}'}, (422, "InvalidRow")),
        ({"json": {"rows": [{"x": 1, "zone": True}]}}, (422, "InvalidRow")),
        ({"json": {"rows": [ROW] * 1001}}, (413, "TooLarge")),
        ({"content": b" " * (8 * 2**20 + 1)}, (413, "TooLarge")),
        ({"name": "no-such", "json": {"rows": [ROW]}}, (404, "UnknownPipeline")),
        ({"token": "wrong", "json": {"rows": [ROW]}}, (401, "Unauthorised")),
        ({"token": "let-me-in-too", "content": b"{"}, (401, "Unauthorised")),
        ({"json": {"rows": [{"x": -1, "zone": "a"}]}}, (500, "PredictionFailed")),
    ],
)
def test_what_cannot_be_answered_is_refused_in_one_shape(start: Any, content: Any, expected: Any) -> None:
    service = start()
    response = service.send(**content)
    assert refusal(response) == expected
    assert "row's own values" not in response.text
    assert service.post([ROW]).status_code == 200


def test_other_paths_and_methods_have_the_same_shape(start: Any) -> None:
    url = start().url
    assert refusal(httpx.get(f"{url}/nowhere"))[0] == 404
    assert refusal(httpx.get(f"{url}/pipelines/rides/predictions"))[0] == 405
    assert refusal(httpx.get(f"{url}/pipelines/rides"))[0] == 401
    assert httpx.get(f"{url}/docs").status_code == 404


def test_a_pipeline_says_what_it_takes(start: Any) -> None:
    service = start(version=4)
    said = httpx.get(f"{service.url}/pipelines/rides", headers={"Authorization": "Bearer let-me-in"}).json()
    assert (said["version"], said["task"]) == (4, "regression")
    assert said["inputs"] == {"x": "number", "zone": "category"}
    assert said["optional"] == {"at": "time"}


def test_a_bad_row_fails_its_own_request_only(start: Any) -> None:
    service = start()
    with ThreadPoolExecutor(12) as pool:
        jobs = [[{"x": -1 if i % 4 == 0 else i, "zone": "a"}] for i in range(100, 148)]
        codes = [
            (job[0]["x"], r.status_code) for job, r in zip(jobs, pool.map(service.post, jobs), strict=True)
        ]
    assert all(code == (500 if x == -1 else 200) for x, code in codes)
    service.stop()
    assert sum(map(len, service.logged)) == 36


def test_overload_is_answered_at_once_and_passes(start: Any, make_gated: Any) -> None:
    gate, load, calls = make_gated()
    service = start(load=load, most_waiting=20)
    with ThreadPoolExecutor(30) as pool:
        pending = [pool.submit(service.post, [ROW]) for _ in range(30)]
        while sum(job.done() for job in pending) < 10:
            time.sleep(0.01)
        assert service.health()["versions"] == {"rides": 1}  # a full queue does not make the service deaf
        gate.set()
        responses = [job.result() for job in pending]
    assert Counter(r.status_code for r in responses) == {200: 20, 429: 10}
    turned_away = next(r for r in responses if r.status_code == 429)
    assert refusal(turned_away) == (429, "Overloaded")
    assert turned_away.headers["Retry-After"] == "1"
    assert service.post([ROW]).status_code == 200
    assert len(calls) <= 5  # those that waited were answered together


@pytest.fixture
def make_gated(request: pytest.FixtureRequest) -> Any:
    """A model that answers nothing, after its warming, until the gate is set."""

    def make() -> tuple[threading.Event, Any, list[int]]:
        gate, calls = threading.Event(), []
        request.addfinalizer(gate.set)

        class Gated:
            task, features, inputs, timestamp = "regression", ["x", "zone"], ["x", "zone"], None
            column_types = {"x": "number", "zone": "category"}

            def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
                calls.append(len(frame))
                if len(calls) > 1:
                    gate.wait(PATIENCE)
                return pd.DataFrame({"prediction": frame["x"].fillna(0)})

        return gate, lambda _folder, _files: Gated(), calls

    return make


def test_the_client_predicts_and_raises_our_errors(start: Any, tmp_path: Path) -> None:
    service = start()
    client.wait_until_serving(service.url, "rides", 1, 5)
    assert client.predict(service.url, "let-me-in", "rides", [ROW])["predictions"][0]["prediction"] == 201
    with pytest.raises(DataError, match="Row 1 lacks columns: 'zone'"):
        client.predict(service.url, "let-me-in", "rides", [{"x": 1}])
    with pytest.raises(DataError, match="cannot be sent as JSON"):
        client.predict(service.url, "let-me-in", "rides", [{"x": float("nan"), "zone": "a"}])
    with pytest.raises(StackError, match="401"):
        client.predict(service.url, "wrong", "rides", [ROW])
    with pytest.raises(StackError, match=r"Version 2 of rides does not answer .* version 1 answers"):
        client.wait_until_serving(service.url, "rides", 2, 0.2)
    with pytest.raises(StackError, match="does not answer"):
        client.wait_until_serving("http://127.0.0.1:9", "rides", 1, 0.2)
