"""A new home has what the chosen systems need, passes the check, and names what is to be set."""

import itertools
import os
import re
import stat
import subprocess
import sys

import pytest

from bridge.errors import ConfigError
from bridge.home import shipped_files
from bridge.operations import new_home

NAMES = new_home.shipped_names()
FORMS = {
    "WEBHOOK_SECRET": "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0",
    "SERVICE_USER": "4f0c0000-0000-4000-8000-000000000001",
    "PROJECT_ID": "12345",
}
TICKETS = [system for system in NAMES if system != "upscope"]


def filled_in(env):
    """Give every name of a `.env` that has no default a value of its form."""
    lines = []
    for line in env.read_text().splitlines():
        name = line.removesuffix("=")
        value = next((form for end, form in FORMS.items() if name.endswith(end)), f"key-{name}")
        lines.append(line + value if line.endswith("=") and not line.startswith("#") else line)
    env.write_text("\n".join(lines))


def test_with_all_systems_and_their_shipped_names_it_is_what_is_shipped():
    files = new_home.files_for(new_home.choose(NAMES))
    env = files.pop(".env")
    assert files == shipped_files()
    assert "HELPDESK_API_KEY=\n" in env
    assert "# HELPDESK_URL=https://support.example.com/api/v1\n" in env


CHOICES = [
    *[(f"{one}=first", f"{other}=second-2") for one, other in itertools.combinations(TICKETS, 2)],
    ("switch=berlin", "switch=paris"),
    ("switch=ours", "upscope=screens"),
    ("switch=ours", "posthog=product", "upscope"),
    ("zaia", "posthog=app", "scopeai"),
]


@pytest.mark.parametrize("choice", CHOICES, ids=",".join)
def test_any_choice_passes_the_check_once_its_env_is_filled_in(run, tmp_path, choice):
    home = tmp_path / "home"
    flags = [part for each in choice for part in ("--system", each)]
    assert run("init", str(home), *flags).exit_code == 0
    assert stat.S_IMODE((home / ".env").stat().st_mode) == 0o600
    unset = run("--home", str(home), "check")
    assert unset.exit_code == 1
    done = run("--home", str(home), "check", "--sandbox")
    assert done.exit_code == 0, done.output
    filled_in(home / ".env")
    done = run("--home", str(home), "check")
    assert (done.exit_code, done.output.count("warning")) == (0, 0), done.output
    texts = "".join(path.read_text() for path in home.rglob("*.yaml"))
    systems = {each.partition("=")[0] for each in choice}
    made = {path.stem for path in (home / "mappings").glob("*.yaml")}
    assert made == systems | {"agents", "fields", "syncs"}
    for system in set(NAMES) - systems:
        assert f"system: {system}" not in texts


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (("tracker",), "there is no system 'tracker'; allowed: switch, posthog"),
        (("switch=Help Desk",), "'Help Desk' cannot be a connection's name"),
        (("switch=a-b", "posthog=a_b"), "a-b and a_b are too much alike"),
        (("switch=x", "posthog=x"), "x and x are too much alike"),
        (("switch",), "nothing can be mirrored between these systems"),
        (("scopeai", "upscope"), "nothing can be mirrored between these systems"),
    ],
)
def test_a_choice_that_cannot_work_is_refused(choice, said):
    with pytest.raises(ConfigError) as refused:
        new_home.files_for(new_home.choose(choice))
    assert said in str(refused.value)


def asked(home, *answers):
    """Make a home by answers on a terminal."""
    ours, theirs = os.openpty()
    words = [sys.executable, "-m", "bridge", "init", str(home)]
    asking = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs)
    os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
    assert asking.wait(60) == 0
    os.close(theirs)
    os.close(ours)
    settings = (home / "config" / "bridge.yaml").read_text()
    return re.findall(r"^  (\w+):\n    system: (\w+)", settings, re.MULTILINE)


def test_on_a_terminal_it_asks_which_systems_and_by_what_names(tmp_path):
    # Everything, as is offered; switch, called berlin; posthog, by the name that is offered.
    made = asked(tmp_path / "home", "", "y", "berlin", "y", "", "n", "n", "n")
    assert made == [("berlin", "switch"), ("product", "posthog")]


def test_on_a_terminal_a_recipe_asks_for_the_names_of_its_systems_alone(tmp_path):
    made = asked(tmp_path / "home", "intake", "", "app", "chats")
    assert made == [("helpdesk", "switch"), ("app", "posthog"), ("chats", "zaia")]
    assert "to: [helpdesk]" in (tmp_path / "home" / "mappings" / "syncs.yaml").read_text()


def test_no_system_chosen_is_named_as_that():
    with pytest.raises(ConfigError) as refused:
        new_home.files_for(new_home.choose([]))
    assert str(refused.value).startswith("no system was chosen")


def test_a_home_that_lacks_what_is_asked_for_says_so_and_is_left_as_it_is(run, tmp_path):
    home = tmp_path / "home"
    ours = ("--system", "switch=desk", "--system", "posthog=product")
    assert run("init", str(home), *ours).exit_code == 0
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    done = run("init", str(home), "--system", "switch=helpdesk", "--system", "posthog=product")
    assert done.exit_code == 2
    assert "has desk (switch), product (posthog) already, and no helpdesk (switch)" in done.output
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    for again in (ours, ()):
        done = run("init", str(home), *again)
        assert done.exit_code == 0, done.output
    assert "has everything already" in run("init", str(home), *ours).output
