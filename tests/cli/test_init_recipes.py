"""Each recipe of a new home is a choice out of the shipped files, holds, and does what it says."""

import signal
import socket

import pytest

from bridge.config import check
from bridge.home import shipped_files
from bridge.operations import new_home
from bridge.operations.home_recipes import RECIPES
from tests.cli.test_init import filled_in
from tests.cli.test_up import Up
from tests.flow.estate import Estate

REAL = [name for name in RECIPES if name != "everything"]
SYNCS = "mappings/syncs.yaml"


def made(run, home, *words):
    done = run("init", str(home), *words)
    assert done.exit_code == 0, done.output
    return home


@pytest.mark.parametrize(
    ("recipe", "names"),
    [
        *((recipe, ()) for recipe in RECIPES),
        *((recipe, ("switch=berlin", "posthog=app")) for recipe in ("two-way", "intake")),
        ("enrichment", ("switch=berlin", "scopeai=texts")),
    ],
)
def test_it_passes_the_check_with_keys_and_without_any_in_a_sandbox(run, tmp_path, recipe, names):
    words = [word for name in names for word in ("--system", name)]
    home = made(run, tmp_path / "home", "--recipe", recipe, *words)
    done = run("--home", str(home), "check", "--sandbox")
    assert done.exit_code == 0, done.output
    filled_in(home / ".env")
    done = run("--home", str(home), "check")
    assert (done.exit_code, done.output.count("warning")) == (0, 0), done.output
    for file in home.rglob("*.yaml"):
        assert file.read_text().startswith("# yaml-language-server: $schema=")
        assert (file.parent / file.read_text().split("\n")[0].partition("=")[2]).is_file()


def test_everything_is_what_is_shipped():
    files = new_home.files_for(new_home.choose(new_home.shipped_names()), RECIPES["everything"])
    assert {name: text for name, text in files.items() if name != ".env"} == shipped_files()


@pytest.mark.parametrize("recipe", ["two-way", "enrichment"])
def test_nothing_in_it_is_another_copy_of_what_is_shipped(recipe):
    systems = new_home.systems_of(RECIPES[recipe])
    files = new_home.files_for(new_home.choose(systems), RECIPES[recipe])
    shipped = shipped_files()[SYNCS].split("\n")
    for line in files[SYNCS].split("\n"):
        words = line.partition("[")[0]
        assert any(words == each.partition("[")[0] for each in shipped), line


def test_the_help_says_what_each_does(run):
    shown = run("init", "--help").output
    for name, recipe in RECIPES.items():
        assert f"{name:<11} {recipe.does}" in shown


def test_a_recipe_that_there_is_not_is_wrong_usage(run, tmp_path):
    done = run("init", str(tmp_path / "home"), "--recipe", "all")
    assert (done.exit_code, "two-way" in done.output) == (2, True)
    assert not (tmp_path / "home").exists()


def test_a_home_with_other_syncs_is_left_as_it_is(run, tmp_path):
    home = made(run, tmp_path / "home", "--recipe", "two-way")
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    words = ("--system", "switch", "--system", "posthog")
    done = run("init", str(home), "--recipe", "intake", *words)
    assert done.exit_code == 2
    assert "recipe intake would change nothing" in done.output
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    made(run, home, "--recipe", "two-way")


def estate_of(recipe, folder):
    chosen = new_home.choose(new_home.systems_of(RECIPES[recipe]))
    files = new_home.files_for(chosen, RECIPES[recipe])
    estate = Estate(folder, files={name: text for name, text in files.items() if ".yaml" in name})
    accounts = estate._accounts
    assert check(folder, environ={}, sandbox=accounts, connectors=estate.classes) == []
    return estate


def test_intake_brings_what_happens_at_the_product_to_the_help_desk_and_nothing_back(tmp_path):
    estate = estate_of("intake", tmp_path)
    policies = estate.config.syncs["support-tickets"].policies
    sent = {policy.to for name, policy in policies.items() if name != "created_at"}
    assert sent == {("helpdesk",)}
    product, helpdesk = estate.apps["product"], estate.apps["helpdesk"]
    traits = {"email": "ann@customer.example"}
    ticket = product.create({"anonymous_traits": traits, "last_message_text": "Help"})["id"]
    estate.hint("product", ticket)
    there = estate.refs("product", ticket)["helpdesk"]
    product.edit(ticket, {"status": "pending"})
    estate.clock.advance(5)
    estate.hint("product", ticket)
    assert helpdesk.store.get(there)["status"] == "pending"
    helpdesk.edit(there, {"status": "resolved", "priority": "urgent", "tags": ["vip"]})
    estate.clock.advance(5)
    estate.hint("helpdesk", there)
    own = helpdesk.create({"subject": "By telephone", "customer_email": "bo@customer.example"})
    estate.hint("helpdesk", own["id"])
    estate.reconcile()
    for name in ("product", "desk"):
        assert estate.journal(name, "create", "write", "delete") == []
    assert helpdesk.store.get(there)["status"] == "resolved"
    assert estate.parked() == []


def test_two_way_brings_it_back_as_well(tmp_path):
    estate = estate_of("two-way", tmp_path)
    helpdesk, product = estate.apps["helpdesk"], estate.apps["product"]
    own = helpdesk.create({"subject": "Help", "customer_email": "bo@customer.example"})["id"]
    estate.hint("helpdesk", own)
    there = estate.refs("helpdesk", own)["product"]
    product.edit(there, {"status": "pending"})
    estate.clock.advance(5)
    estate.hint("product", there)
    assert helpdesk.store.get(own)["status"] == "pending"


@pytest.mark.processes
@pytest.mark.parametrize("recipe", REAL)
def test_it_runs_in_a_sandbox(run, tmp_path, recipe):
    home = made(run, tmp_path / "home", "--recipe", recipe)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    up = Up(home, port)
    try:
        assert set(up.sandboxes) == set(RECIPES[recipe].connections)
        up.wait_for(lambda row: row["kind"] == "created")
    finally:
        assert up.end(signal.SIGTERM) == 0
