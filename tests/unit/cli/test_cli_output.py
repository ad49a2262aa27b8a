"""Tables, facts, bars and progress where the output is no terminal."""

from __future__ import annotations

import pytest

from headwater.cli.output import Column, Output, plain_table


def test_plain_tables() -> None:
    columns = [Column("NAME", elastic=True), Column("N", right=True)]
    rows = [["日本語", "1"], [("a-long-name-of-a-stream", "bad"), "1,000"]]
    assert list(plain_table(columns, rows)) == [
        "NAME                         N",
        "日本語                       1",
        "a-long-name-of-a-stream  1,000",
    ]
    assert list(plain_table(columns, rows, width=15))[2] == "a-long-…  1,000"
    assert list(plain_table(columns, [], width=15)) == ["NAME  N"]


def test_output_that_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output()
    assert (out.terminal, out.rich, out.width, out.height) == (False, False, 0, 0)
    out.heading("heading")
    out.facts([("a", "1"), ("long", ("2", "good"))])
    with out.progress("working", 10) as bar:
        bar.advance(5)
        bar.update(10, total=20)
    captured = capsys.readouterr()
    assert captured.out == "heading\na     1\nlong  2\n"
    assert captured.err == ""


def test_bars(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output()
    assert out.bar(1, 4) == "████"
    assert out.bar(0.5, 4) == "██"
    assert out.bar(0.0001, 4) == "▏"
    assert out.bar(0, 4) == ""
