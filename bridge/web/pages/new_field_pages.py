"""A field of one's own by form; what comes of it is a draft, to be looked at like any other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bridge.errors import ConfigError, NotPossible
from bridge.operations import drafts, new_field
from bridge.operations.desk import Desk
from bridge.operations.new_field import FieldPlace, NewField
from bridge.operations.permissions import Permission
from bridge.web.pages import typed_text, visitor

pages: Final = Blueprint("new_field", __name__, url_prefix="/mappings/new-field")
PLACES: Final = 3
"""Connections that the form has room for; the draft can be given more."""
LONGEST: Final = 5_000
EMPTY: Final = {"entity": "ticket", "kind": "text", "personal": "yes"}


@pages.get("")
@visitor.needs(Permission.CHANGE_MAPPINGS)
def form() -> str:
    """Show the form."""
    return _form(visitor.desk(), EMPTY)


@pages.post("")
@visitor.needs(Permission.CHANGE_MAPPINGS)
@typed_text.kept
def make() -> Response | tuple[str, int]:
    """Make a draft of what was typed, or say what to type in place of it."""
    desk = visitor.desk()
    typed = {name: text[:LONGEST] for name, text in request.form.items()}
    try:
        new = _described(typed)
        changes = new_field.lines_for(desk, new)
    except (NotPossible, ConfigError) as error:
        return _form(desk, typed, wrong=str(error)), 409
    draft = drafts.begin(desk, changes, note=f"the field {new.name}")
    flash("Nothing counts yet: look at the lines, at what they would do, then publish them.")
    return redirect(url_for("drafts.one", number=draft.id), 303)


def _form(desk: Desk, typed: Mapping[str, str], wrong: str = "") -> str:
    return render_template(
        "new_field.html",
        typed=typed,
        wrong=wrong,
        kinds=new_field.KINDS,
        entities=list(desk.context.fields),
        connections=list(desk.context.maps),
        ways=new_field.ways_to_keep(desk),
        places=range(1, PLACES + 1),
        command="$EDITOR mappings/fields.yaml; bridge mappings check",
    )


def _described(typed: Mapping[str, str]) -> NewField:
    """Return the field that a form describes. Raises NotPossible for rows that are none."""

    def said(name: str) -> str:
        return typed.get(name, "").strip()

    places = [
        FieldPlace(
            said(f"connection{number}"),
            said(f"path{number}"),
            _words(said(f"words{number}"), said(f"connection{number}")),
            writes=said(f"ways{number}") != "read",
        )
        for number in range(1, PLACES + 1)
        if said(f"connection{number}") or said(f"path{number}")
    ]
    choices = said("values").replace("\n", ",").split(",")
    return NewField(
        entity=said("entity"),
        name=said("name"),
        kind=said("kind"),
        label=said("label"),
        values=list(dict.fromkeys(word.strip() for word in choices if word.strip())),
        personal=said("personal") == "yes",
        places=places,
    )


def _words(text: str, connection: str) -> dict[str, str]:
    """Return rows such as `EMEA = emea` as their words and ours."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        theirs, sign, ours = line.rpartition("=")
        if not line.strip():
            continue
        if not sign or not theirs.strip() or not ours.strip():
            raise NotPossible(
                f"words at {connection}: one row for each of theirs, such as: EMEA = emea"
            )
        if theirs.strip() in found:
            raise NotPossible(f"words at {connection}: {theirs.strip()} stands there twice")
        found[theirs.strip()] = ours.strip()
    return found
