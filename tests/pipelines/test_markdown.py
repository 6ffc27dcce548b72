"""What Markdown would obey in text from data is shown as it is."""

from __future__ import annotations

import pytest

from pipelines.markdown import markdown_cell


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("# head, not #2", "\\# head, not #2"),
        ("_em_ __b__ ~~s~~ *i*", "\\_em\\_ \\_\\_b\\_\\_ \\~\\~s\\~\\~ \\*i\\*"),
        ("column_is_like_before", "column_is_like_before"),
        ("https://evil.example www.evil.example", "https:\\//evil.example www\\.evil.example"),
        ("<img> | [x](y) `z`", "&lt;img&gt; \\| \\[x\\](y) \\`z\\`"),
        ("a\n\nb\x1b", "a b\\\\x1b"),
    ],
)
def test_markup_in_data_is_text(text: str, cell: str) -> None:
    assert markdown_cell(text) == cell
