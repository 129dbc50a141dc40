"""The table of the benchmarks, and what is kept for the next day."""

import json

from bench import run
from bench.figures import figure


def test_the_table_says_what_was_before_and_what_meets_its_target(capsys):
    figures = [
        figure("mirror", [1.9, 2.04, 9.0], peer="frozen baseline", limit=-2.0),
        figure("edit", 5.26, unit="ms", limit=5.0),
        figure("rate", 1234.5, unit="/s"),
    ]
    run.tell(figures, {"mirror": 0.61, "rate": 99.96})
    rows = [
        [cell.strip() for cell in row.split("|")[1:-1]]
        for row in capsys.readouterr().out.splitlines()
    ]
    assert rows[0] == ["figure", "1 means", "before", "now", "target", ""]
    assert rows[2:] == [
        ["mirror", "frozen baseline", "0.61", "2.04", ">= 2", "met"],
        ["edit", "", "", "5.26 ms", "<= 5 ms", "MISSED"],
        ["rate", "", "100/s", "1,234/s", "", ""],
    ]


def test_what_is_kept_of_a_day_lasts_until_it_is_measured_again(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "HISTORY", tmp_path)
    assert run.kept() == {}
    run.keep([figure("one", 1.23456), figure("two", 2)])
    file = run.keep([figure("two", 3)])
    (tmp_path / "2020-01-01.json").write_text(json.dumps({"figures": {"one": 9}}))
    assert run.kept() == {"one": 1.235, "two": 3}
    assert file.parent == tmp_path


def test_the_figures_that_are_kept_are_written_as_they_are_read():
    assert run.kept()
    assert all(isinstance(value, int | float) for value in run.kept().values())
