"""A file is there in full or not at all, and says the same wherever it is read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pipelines.environment import child_environment

WRITE = r"""
import sys
from pathlib import Path
from pipelines.files import write_whole

for words in ("before", "Z\u00fcrich"):
    write_whole(Path(sys.argv[1]), words)
"""


def test_a_page_is_utf_8_where_the_machine_speaks_otherwise(tmp_path: Path) -> None:
    plain = child_environment({"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"})
    page = tmp_path / "page.html"
    subprocess.run([sys.executable, "-c", WRITE, str(page)], env=plain, check=True)
    assert page.read_text(encoding="utf-8") == "Zürich"
    assert list(tmp_path.iterdir()) == [page]
