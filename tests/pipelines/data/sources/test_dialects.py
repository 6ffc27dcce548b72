"""How a text file is written, told from its head."""

from pathlib import Path

import pytest

from pipelines.config import Format
from pipelines.data.sources import discover_format
from pipelines.data.sources.dialects import format_of, sniff_delimiter
from pipelines.data.sources.source import local_source

CASES = {
    "plain": ("a,b\n1,x\n2,y\n", Format()),
    "semicolon": ("a;b\n1;x\n2;y\n", Format(delimiter=";")),
    "decimal comma": ("a;b;c\n1,5;2,25;x\n2,5;3;y\n", Format(delimiter=";", decimal=",")),
    "decimal commas alone": ("1,5;2,5\n3,5;4,5\n", Format(delimiter=";", decimal=",", header=False)),
    "german thousands": ("a;b\n1.234,50;x\n12,00;y\n", Format(delimiter=";", decimal=",", thousands=".")),
    "english thousands": ('a,b\n"1,234.50",x\n12.00,y\n', Format(thousands=",")),
    "english whole thousands": ('a,b\n"1,234",x\n"1,234,567",y\n', Format(thousands=",")),
    "swiss": ("a;b\n1'234.50;x\n12.00;y\n", Format(delimiter=";", thousands="'")),
    "french": ("a;b\n1 234,50;x\n12,01;y\n", Format(delimiter=";", decimal=",", thousands=" ")),
    "tab": ("a\tb, c\n1\tx, y\n2\ty\n", Format(delimiter="\t")),
    "bar": ("a|b\n1|x\n2|y\n", Format(delimiter="|")),
    "caret": ("a^b\n1^x\n2^y\n", Format(delimiter="^")),
    "blank": ("1.5 2.5 3\n1.5 2.5 4\n2 3 4\n", Format(delimiter=" ", header=False)),
    "quoted delimiters": ('a;b\n"x, y, z";1\n"u, v, w";2\n', Format(delimiter=";")),
    "single quotes": ("a,b\n'x, y',1\n'u, v',2\n'w',3\n", Format(quote="'")),
    "apostrophes": ("a,b\nit's,1\ndon't,2\n", Format()),
    "quoted lines": ('a,b\n"x\n;;;;\ny",1\n"z",2\n', Format()),
    "no header": ("1,x\n2,y\n", Format(header=False)),
    "dates first": ("2024-01-01,x\n2024-01-02,y\n", Format(header=False)),
    "years as names": ("2019,2020,target\n1,2,3\n", Format()),
    "one column": ("target\n12:30\n12:31\n", Format()),
    "one sentence column": ("target\nhello there\nhow are you\n", Format()),
    "german dates": ("a;b\n12.05.2020;1\n13.05.2020;2\n", Format(delimiter=";")),
    "three decimals": ("a,b\n0.125,1.234\n0.250,2.345\n", Format()),
    "addresses": ("a,b\n10.0.0.1,1.2.3\n10.0.0.2,1.2.4\n", Format()),
}


@pytest.mark.parametrize("name", CASES)
def test_the_form_is_found(name: str) -> None:
    text, expected = CASES[name]
    assert format_of(text, "utf-8", "target") == expected
    assert format_of(text.replace("\n", "\r\n"), "utf-8", "target") == expected


@pytest.mark.parametrize(("encoding", "found"), [("utf-8", None), ("utf-16", None), ("cp1252", "cp1252")])
def test_the_encoding_is_said_where_it_is_a_guess(tmp_path: Path, encoding: str, found: str | None) -> None:
    (tmp_path / "t.csv").write_bytes("name;town\nx;Málaga\n".encode(encoding))
    assert discover_format(local_source(tmp_path / "t.csv"), "town") == Format(delimiter=";", encoding=found)


def test_an_uneven_file_still_has_a_delimiter() -> None:
    assert sniff_delimiter("a,b,c\n1,2,3\n1,2\n1,2,3\n") == ","
    assert sniff_delimiter("") == ","
