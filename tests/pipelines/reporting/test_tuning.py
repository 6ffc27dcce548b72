"""The trials of a tuning in the page: a line and a row each, the best one above all."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from pipelines.records import Trial
from pipelines.reporting import AttemptLine, Story, render_report
from pipelines.reporting.tuning import TOP, label, parallel, render_tuning

HEIGHT = 250


def trial(number: int, best: float | None, status: str = "finished", **settings: Any) -> Trial:
    chosen = {"width": 16 * (number + 1), "learning_rate": 10.0 ** (-1 - number), "schedule": "cosine"}
    return Trial.model_validate(
        {"number": number, "settings": chosen | settings, "status": status, "best": best}
        | {"losses": [best] if best is not None else [], "seconds": 1.5}
    )


TRIALS = [
    trial(0, 0.5),
    trial(1, 0.3, schedule="constant"),
    trial(2, 0.9, "stopped early"),
    trial(3, None, "failed", schedule="<b>"),
]


def test_each_trial_with_a_loss_is_a_line_and_the_best_is_on_top() -> None:
    plot = parallel(TRIALS)
    assert plot is not None
    assert [axis.label for axis in plot.axes] == ["width", "learning rate", "schedule", "validation loss"]
    assert [line.kind for line in plot.lines] == ["stopped", "finished", "best"]
    assert [words for _, _, words in plot.lines[-1].dots] == ["32", "0.01", "constant", "0.3"]
    assert "trial 1" in plot.lines[-1].title
    ends = [float(line.points.split(",")[-1]) for line in plot.lines]
    assert ends == [TOP + HEIGHT, pytest.approx(TOP + HEIGHT / 3, abs=0.1), TOP]  # the least loss on top


def test_a_scale_over_decades_is_by_the_logarithm() -> None:
    plot = parallel([trial(n, 1.0 + n) for n in range(3)])
    assert plot is not None
    heights = sorted(float(line.points.split()[1].split(",")[1]) for line in plot.lines)
    assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1], abs=0.2)


def test_a_value_that_never_changes_stands_in_the_middle() -> None:
    plot = parallel([trial(0, 1.0, width=8), trial(1, 2.0, width=8)])
    assert plot is not None
    assert {line.points.split()[0].split(",")[1] for line in plot.lines} == {f"{TOP + HEIGHT / 2:g}"}


@pytest.mark.parametrize("trials", [[], [trial(0, 1.0)], [trial(0, 1.0), trial(1, None, "failed")]])
def test_one_trial_is_no_plot(trials: list[Trial]) -> None:
    assert parallel(trials) is None
    render_tuning("t", trials)


@pytest.mark.parametrize(
    ("value", "words"),
    [(64, "64"), (0.25, "0.25"), (3.2e-5, "3.2e-05"), ("cosine", "cosine"), (None, "None"), (0.0, "0")],
)
def test_values_are_written_short(value: Any, words: str) -> None:
    assert label(value) == words


def test_the_report_shows_the_newest_tuning(story: Story) -> None:
    assert "Tuning</h2>" not in render_report(story)
    attempts = [*story.attempts]
    newest = max(range(len(attempts)), key=lambda i: attempts[i].started)
    attempts[newest] = AttemptLine.model_validate(attempts[newest].model_dump() | {"trials": TRIALS})
    page = render_report(story.model_copy(update={"attempts": attempts}))
    assert "4, 2 finished, 1 stopped early, 1 failed" in page
    assert page.count('class="trial-group"') == 3
    assert "<b>" not in re.sub("<header.*?</header>", "", page.split("Tuning</h2>")[1].split("</section>")[0])


def test_the_page_of_its_own_is_complete_in_itself() -> None:
    page = render_tuning("trips-1: tuning", TRIALS)
    assert "http" not in page
    svg = page[page.index('<svg class="chart"') : page.index("</svg>") + len("</svg>")]
    ElementTree.fromstring(svg)  # noqa: S314  (ours)
    assert page.count("<tr") == 1 + len(TRIALS)
    assert page.index("best-row") < page.index(">2</td>")
