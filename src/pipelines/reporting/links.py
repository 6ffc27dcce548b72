"""Links between our pages, which also work where the folder of reports was copied elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote


def relative(page: Path, folder: Path) -> str | None:
    """The link from a page in `folder` to another one, None where that is not there."""
    return quote(os.path.relpath(page, folder)) if page.exists() else None
