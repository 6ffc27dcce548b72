"""`evergreen approve` and `evergreen reject`: a person's word on a promotion that waits."""

from __future__ import annotations

from typing import Annotated

import typer

from evergreen import views
from evergreen.console import EXIT_CODES, Answer

AttemptId = Annotated[str, typer.Argument(help="Of the attempt that waits; `evergreen status` lists them.")]
By = Annotated[str, typer.Option(help="Who decides, for the history.")]
Why = Annotated[str, typer.Option("--reason", help="Why, in words, for the history.")]


def approve(attempt: AttemptId, by: By, reason: Why) -> Answer:
    """Promote a challenger that passed its gates and waits for a person."""
    from flows.approval import approval

    outcome = approval(attempt, "approve", by, reason)
    return outcome.model_dump(mode="json"), lambda: views.show_outcome(outcome), EXIT_CODES[outcome.status]


def reject(attempt: AttemptId, by: By, reason: Why) -> Answer:
    """Keep out a challenger that passed its gates and waits for a person."""
    from flows.approval import approval

    outcome = approval(attempt, "reject", by, reason)
    return outcome.model_dump(mode="json"), lambda: views.show_outcome(outcome), 0
