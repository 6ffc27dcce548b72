"""What reading fitted objects takes along."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from pipelines.models.skops_file import TORCH, import_skops
import_skops()
assert "torch" not in sys.modules
assert TORCH not in sys.modules  # whoever wants it may have it
"""


def test_torch_is_not_imported_for_models_that_need_none() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
