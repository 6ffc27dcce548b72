"""What attempts cost: measured from their folders, kept in the ledger, summed over promotions."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.config import Prices
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Cost, Promotion, StoredAttempt
from pipelines.training.folder import AttemptFolder
from pipelines.training.usage import attempt_cost


def settle_cost(home: Home, attempt: str) -> Cost | None:
    """What an attempt has used until now, by the prices of its definition; the ledger has it from now on.

    Where its folder says nothing (it was cleared away), what the ledger has; None where that is nothing.
    """
    ledger = Ledger.open(home)
    stored = ledger.attempt(attempt)
    if stored is None:
        return None
    prices = Prices.model_validate(stored.config.get("prices", {}))
    cost = attempt_cost(AttemptFolder.of(stored.attempt), prices)
    if not cost.processes:
        return stored.cost
    ledger.record_cost(attempt, cost)
    return cost


def promotion_costs(attempts: Sequence[StoredAttempt], champions: Sequence[Promotion]) -> dict[int, Cost]:
    """What each promotion cost, by its `seq`: its own attempt, and all others since the one before it.

    Those that failed are included. `champions` come oldest first. What was tried after the last promotion is
    in none.
    """
    costs = {promotion.seq: Cost() for promotion in champions}
    own = {promotion.attempt: promotion.seq for promotion in reversed(champions)}
    for one in attempts:
        next_one = next((p.seq for p in champions if one.started <= p.since), None)
        seq = own.get(one.id, next_one)
        if seq is not None:
            costs[seq] += one.cost or Cost()
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
