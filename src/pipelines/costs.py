"""What attempts cost: measured from their folders, kept in the ledger, summed over promotions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipelines.config import Prices
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Attempt, Cost, Promotion
from pipelines.training.folder import AttemptFolder
from pipelines.training.usage import attempt_cost


def settle_cost(home: Home, attempt: str) -> Cost | None:
    """What an attempt has used until now, by the prices of its definition; the ledger has it from now on.

    Where its folder says nothing (it was cleared away), what the ledger has; None where that is nothing.
    """
    ledger = Ledger.open(home)
    row = ledger.attempt(attempt)
    if row is None:
        return None
    prices = Prices.model_validate((row.config or {}).get("prices", {}))
    cost = attempt_cost(AttemptFolder.of(Attempt.model_validate(row.attempt)), prices)
    if not cost.processes:
        return stored_cost(row)
    ledger.record_cost(attempt, cost)
    return cost


def stored_cost(row: Any) -> Cost | None:
    """The cost in a row of the ledger's attempts."""
    return Cost.model_validate(row.cost) if row.cost else None


def promotion_costs(attempts: Sequence[Any], champions: Sequence[Promotion]) -> dict[int, Cost]:
    """What each promotion cost, by its `seq`: its own attempt, and all others since the one before it.

    Those that failed are included. `attempts` are rows of the ledger, `champions` come oldest first. What was
    tried after the last promotion is in none.
    """
    costs = {promotion.seq: Cost() for promotion in champions}
    own = {promotion.attempt: promotion.seq for promotion in reversed(champions)}
    for row in attempts:
        next_one = next((p.seq for p in champions if row.started <= p.since), None)
        seq = own.get(row.id, next_one)
        if seq is not None:
            costs[seq] += stored_cost(row) or Cost()
    return costs


def describe_cost(cost: Cost | None) -> str:
    """A cost in words: `31.2 CPU s, 1.21 GB, 12.4 s, 0.01 EUR`; GPU, money and waste where there is any."""
    if cost is None:
        return ""
    words = [f"{cost.cpu_seconds:,.1f} CPU s"]
    if cost.gpu_seconds:
        words.append(f"{cost.gpu_seconds:,.1f} GPU s")
    words += [f"{cost.peak_bytes / 1e9:.2f} GB", f"{cost.wall_seconds:,.1f} s"]
    if cost.money:
        words.append(f"{cost.money:.4g} {cost.currency}")
    if cost.wasted_seconds:
        words.append(f"{cost.wasted_seconds:,.1f} CPU s of it lost with processes that died")
    return ", ".join(words)
