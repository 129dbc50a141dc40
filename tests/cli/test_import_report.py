"""What an import costs is said only where the ledger can tell."""

from bridge.cli.import_report import print_costs
from bridge.runs.forecast import ImportCost


def test_a_connection_that_was_never_listed_is_given_no_figures(capsys):
    print_costs([ImportCost("helpdesk", None, 0, 1, 0), ImportCost("product", 81, 13, 28, 30)])
    first, second, _hint = capsys.readouterr().err.splitlines()
    assert first == "helpdesk: never listed, so its cost is not known yet"
    assert second.startswith("product: 81 records last time; about 28 calls, at most 13 creates")
