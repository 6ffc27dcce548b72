"""A new version takes over while requests come in: none is lost, none mixes versions."""

from __future__ import annotations

import functools
import threading
from pathlib import Path
from typing import Any

import httpx

from tests.waiting import PATIENCE, until

ROWS: list[dict[str, Any]] = [{"x": i, "zone": "a"} for i in range(5)]


def test_versions_switch_under_load_and_no_request_is_lost_or_mixed(start: Any) -> None:
    service = start()
    stop = threading.Event()
    answers: list[httpx.Response] = []

    def ask() -> None:
        with httpx.Client(headers={"Authorization": "Bearer let-me-in"}) as http:
            while not stop.is_set():
                answers.append(http.post(f"{service.url}/pipelines/rides/predictions", json={"rows": ROWS}))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()

    def answered(version: int, since: int) -> bool:
        return any(answer.json()["version"] == version for answer in answers[since:])

    until(lambda: answered(1, 0))
    for version in (2, 3, 2, 5):
        since = len(answers)
        service.want(version)
        until(functools.partial(answered, version, since))
    stop.set()
    for thread in threads:
        thread.join()
    service.stop()
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["version"] for answer in answers} == {1, 2, 3, 5}
    for body in (answer.json() for answer in answers):
        assert [p["prediction"] for p in body["predictions"]] == [
            r["x"] * 100 + body["version"] for r in ROWS
        ]
    logged = [i for frame in service.logged for i in zip(frame["_id"], frame["_version"], strict=True)]
    sent = [(p["prediction_id"], a.json()["version"]) for a in answers for p in a.json()["predictions"]]
    assert sorted(logged) == sorted(sent)


def test_a_version_that_does_not_load_leaves_the_old_one_and_is_reported(start: Any, load_but: Any) -> None:
    service = start(load=load_but(2))
    service.want(2)
    until(lambda: bool(service.health()["failures"]))
    health = service.health()
    assert health["failures"]["rides"]["version"] == 2
    assert "broken" in health["failures"]["rides"]["message"]
    assert health["ok"] is False
    assert service.post(ROWS).json()["version"] == 1
    service.want(3)
    service.wait_for(3)
    assert service.health()["ok"] is True


def test_a_version_that_does_not_load_is_tried_again(start: Any, load_but: Any) -> None:
    service = start(load=load_but(2, times=1))
    service.want(2)
    service.wait_for(2)
    assert not service.health()["failures"]


def test_before_a_model_is_ready_the_answer_is_503_and_a_withdrawn_one_is_unknown(
    start: Any, load_but: Any
) -> None:
    service = start(load=load_but(2), version=None)
    assert service.post(ROWS).status_code in {404, 503}
    service.want(2)
    until(lambda: bool(service.health()["failures"]))
    response = service.post(ROWS)
    assert (response.status_code, response.json()["error"]["type"]) == (503, "NoModel")
    service.want(1)
    service.wait_for(1)
    service.wanted.clear()
    until(lambda: not service.health()["versions"])
    assert service.post(ROWS).status_code == 404


def test_pipelines_are_served_side_by_side_and_apart(start: Any, load_but: Any) -> None:
    service = start(load=load_but(2))
    service.want(4, "homes")
    service.wait_for(4, "homes")
    service.want(2, "rides")  # does not load
    assert service.post(ROWS, name="homes").json()["version"] == 4
    assert service.post(ROWS, name="rides").json()["version"] == 1


def test_the_old_version_answers_while_the_new_one_loads(start: Any, load_but: Any) -> None:
    loading, go_on = threading.Event(), threading.Event()

    def hold(version: int) -> None:
        if version == 2:
            loading.set()
            go_on.wait(PATIENCE)

    service = start(load=load_but(0, before=hold))
    service.want(2)
    assert loading.wait(PATIENCE)
    assert service.post(ROWS).json()["version"] == 1
    go_on.set()
    service.wait_for(2)


def test_a_ledger_that_cannot_be_read_changes_nothing(start: Any) -> None:
    service = start()
    board = service.server.config.app.state.service.switchboard
    sound = board.served

    def broken() -> list[Any]:
        raise OSError("database is locked")

    board.served = broken
    until(lambda: service.health()["trouble"] is not None)
    assert service.post(ROWS).json()["version"] == 1
    board.served = sound
    until(lambda: service.health()["ok"])


def test_the_folder_given_is_the_one_loaded(start: Any, load_but: Any) -> None:
    seen: list[Path] = []
    start(load=load_but(0, before=lambda v: seen.append(Path(str(v)))), version=7)
    assert seen == [Path("7")]
