"""What makes the networks fast must not change what they compute."""

from __future__ import annotations

import tabm
import torch

from pipelines.models.dropout import Dropout
from pipelines.models.tabm import SharedLinear


def test_dropout_keeps_its_share_and_the_mean() -> None:
    torch.manual_seed(1)
    rows = torch.ones(1000, 333, requires_grad=True)
    found = Dropout(0.1)(rows)
    found.sum().backward()

    assert abs(float((found == 0).float().mean()) - 0.1) < 0.003
    assert abs(float(found.mean()) - 1) < 0.003
    assert rows.grad is not None
    assert torch.equal(rows.grad, found)
    assert torch.equal(Dropout(0.1).eval()(rows), rows)


def test_members_answer_like_the_package_however_many_rows_there_are() -> None:
    layer = SharedLinear(6, 4, k=3, scaling_init=("normal", "normal"))
    for count in (2, 50):
        same = torch.randn(count, 6)[:, None].expand(-1, 3, -1)
        own = torch.randn(count, 3, 6)
        for rows in (same, own):
            torch.testing.assert_close(layer(rows), tabm.LinearBatchEnsemble.forward(layer, rows))
