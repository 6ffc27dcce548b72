"""A server is told of a training by a thread of its own: one that is slow or away holds up nobody."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable

from pipelines.progress import log


class Background:
    """Calls `tell` every `seconds`, and once more after `end`; of what it raises the log warns once."""

    def __init__(self, tell: Callable[[], None], seconds: float, complaint: str) -> None:
        self.tell, self.seconds, self.complaint = tell, seconds, complaint
        self._over = threading.Event()

    def start(self) -> None:
        """In the caller's context: Prefect knows by it to which run an artifact belongs."""
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._work,), daemon=True)
        self._thread.start()

    def end(self, patience: float | None) -> None:
        """Let it tell the last and wait for that, `patience` seconds at most; None is without an end."""
        self._over.set()
        self._thread.join(patience)

    def _work(self) -> None:
        over = complained = False
        while not over:
            over = self._over.is_set()  # asked before telling: what comes meanwhile has its turn
            try:
                self.tell()
            except Exception as error:  # noqa: BLE001  (who is told looks on; the training goes on)
                if not complained:
                    log.warning("%s: %s: %s", self.complaint, type(error).__name__, error)
                complained = True
            if not over:
                self._over.wait(self.seconds)
