"""The retraining policy, as a table of cases."""

from datetime import datetime, timedelta

import pytest

from pipelines.config import Retraining
from pipelines.retraining import cause_id, decide_retraining

END = datetime(2024, 3, 8)
BOTH = Retraining(when=["drift", "degraded"], cooldown=timedelta(days=7))
ONLY_DEGRADED = Retraining(when=["degraded"], cooldown=timedelta(days=7))
NEVER = Retraining(when=[])


@pytest.mark.parametrize(
    ("verdict", "policy", "last", "champion", "decision", "words"),
    [
        ("healthy", BOTH, None, True, "none", "healthy"),
        ("insufficient", BOTH, None, True, "none", "insufficient"),
        ("degraded", BOTH, None, True, "retrain", "names degraded"),
        ("drift", BOTH, None, True, "retrain", "names drift"),
        ("drift", ONLY_DEGRADED, None, True, "suggest", "for degraded, not for drift"),
        ("degraded", NEVER, None, True, "suggest", "for nothing"),
        ("degraded", BOTH, None, False, "suggest", "no longer champion"),
        ("degraded", BOTH, END - timedelta(days=6), True, "suggest", "until 2024-03-09"),
        ("degraded", BOTH, END - timedelta(days=7), True, "retrain", "names"),
        ("degraded", BOTH, END, True, "suggest", "last cause"),
        (
            "degraded",
            BOTH,
            END + timedelta(days=30),
            True,
            "suggest",
            "last cause",
        ),  # an older window, replayed
    ],
)
def test_decision(verdict, policy, last, champion, decision, words):
    found, reason = decide_retraining(verdict, policy, END, last, champion)
    assert found == decision
    assert words in reason


def test_ten_drifting_days_start_one_training_a_cooldown():
    last, started = None, []
    for day in range(10):
        end = END + timedelta(days=day)
        if decide_retraining("drift", BOTH, end, last, True)[0] == "retrain":
            last = end
            started.append(day)
    assert started == [0, 7]


def test_a_cause_has_one_name():
    name = cause_id("rides", 3, "drift", END)
    assert name == cause_id("rides", 3, "drift", END)
    assert len(name) == 16
    others = {cause_id("rides", 4, "drift", END), cause_id("rides", 3, "degraded", END)}
    assert name not in others | {
        cause_id("rides-3", 3, "drift", END),
        cause_id("rides", 3, "drift", END + timedelta(1)),
    }
