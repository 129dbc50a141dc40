"""The table of the benchmarks, and what is kept for the next day."""

import pytest

from bench import run, table
from bench.figures import figure


def cells(text):
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in text.splitlines()]


def test_the_table_says_what_was_before_and_what_meets_its_target():
    figures = [
        figure("mirror", [1.9, 2.04, 9.0], peer="frozen baseline", limit=-2.0),
        figure("edit", 5.26, unit="ms", limit=5.0),
        figure("rate", 1234.5, unit="/s"),
    ]
    old = [{"what": "mirror", "value": 0.61}, {"what": "rate", "value": 99.96}]
    rows = cells(table.table(figures, "2026-11-30", ("2026-11-29", old)))
    assert rows[0] == ["figure", "1 means", "2026-11-29", "2026-11-30", "target", ""]
    assert rows[2:] == [
        ["mirror", "frozen baseline", "0.61", "2.04", "≥ 2", "met"],
        ["edit", "", "", "5.26 ms", "≤ 5 ms", "MISSED"],
        ["rate", "", "100/s", "1,234/s", "", ""],
    ]


def test_what_is_kept_of_a_day_lasts_until_it_is_measured_again(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "HISTORY", tmp_path)
    assert table.before(table.today()) == ("before", [])
    table.keep([figure("one", 1.23456, limit=2), figure("two", 2)], {"cores": 2})
    file = table.keep([figure("two", 3)], {"cores": 4})
    found = table.kept(file.stem)
    assert found["machine"] == {"cores": 4}
    assert [(each["what"], each["value"]) for each in found["figures"]] == [
        ("one", 1.235),
        ("two", 3),
    ]
    (tmp_path / "2020-01-01.json").write_text('{"figures": [{"what": "one", "value": 9}]}')
    assert table.before(file.stem) == ("2020-01-01", [{"what": "one", "value": 9}])


@pytest.mark.parametrize("day", table.days())
def test_the_days_that_were_kept_can_be_read(day):
    figures = table.kept(day)["figures"]
    assert len(cells(table.table(figures, day, table.before(day)))) == len(figures) + 2


def test_a_part_that_fails_leaves_the_others_and_is_told(tmp_path, monkeypatch, capsys):
    def fails():
        raise SystemExit("3 of 9 tickets were written")

    one = {"name": "one", "figures": [figure("one", 1.0, limit=2.0)]}
    monkeypatch.setattr(run, "PARTS", {"bad": (fails, fails), "good": (lambda: one, lambda: one)})
    monkeypatch.setattr("sys.argv", ["run", "--json", str(tmp_path / "bench.json")])
    assert run.main() == 1
    told = capsys.readouterr()
    assert "3 of 9 tickets were written" in told.err
    assert cells(told.out)[2][0] == "one"


def test_small_figures_are_not_kept(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["run", "--small", "--keep"])
    with pytest.raises(SystemExit):
        run.main()
    assert "say less" in capsys.readouterr().err
