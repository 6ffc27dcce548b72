"""A cancel reaches a training that a flow submitted to a thread."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import pytest
from prefect import flow, task

from tasks.cancelling import UntilCancelled

pytestmark = pytest.mark.slow


def test_a_step_in_a_thread_hears_of_an_interrupt(prefect_server: None) -> None:
    """As in `attempts.follow`: a watch is asked again and again."""
    begun, ended = threading.Event(), threading.Event()

    @task
    def follow() -> None:
        watch = UntilCancelled()
        begun.set()
        try:
            while True:
                watch([])
                time.sleep(0.01)
        finally:
            ended.set()

    @flow
    def two_threads() -> Any:
        step = follow.submit()
        assert begun.wait(60)
        os.kill(os.getpid(), signal.SIGINT)
        return step.result()

    with pytest.raises(KeyboardInterrupt):
        two_threads()
    assert ended.is_set()
