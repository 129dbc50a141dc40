"""Drafts of mappings: a file as text, its problems, what it would do, and publishing just that.

Each step is a form of POST that stores what was typed and leads to a page; nothing needs a script.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as AnyResponse

from bridge.errors import ConfigError, NotPossible, RemoteError, UnknownName
from bridge.operations import drafts, mapping_sheet, revisions, samples
from bridge.operations.desk import Desk
from bridge.operations.drafts import MappingDraft
from bridge.operations.effect_jobs import EffectJobs
from bridge.operations.file_differences import differences
from bridge.operations.mapping_sheet import KeptProofs
from bridge.operations.permissions import Permission
from bridge.web.pages import typed_text, visitor
from bridge.web.pages.mapping_pages import cut, text_of
from bridge.workbench.preview_comparison import ComparedRecord
from bridge.workbench.proof_findings import ProofFinding

pages: Final = Blueprint("drafts", __name__, url_prefix="/mappings")
JOBS: Final = "effect jobs"
"""Under this name the application keeps what drafts would do."""
PROOFS: Final = "kept proofs"
NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}\.yaml")
LONGEST_NOTE: Final = 500
SHOWN_FINDINGS: Final = 60
PREVIEWED: Final = 5
"""Records that are read for a preview, in the fewest calls that the vendor allows."""


def jobs() -> EffectJobs:
    """Return what this process looks at beside its requests."""
    found: EffectJobs = current_app.extensions[JOBS]
    return found


@pages.get("/drafts")
@visitor.needs(Permission.CHANGE_MAPPINGS)
def listing() -> str:
    """Show all drafts, what was stored last first."""
    desk = visitor.desk()
    return render_template(
        "drafts.html", drafts=drafts.latest(desk), now=desk.now(), command="bridge mappings diff"
    )


@pages.get("/edit/<name>")
@visitor.needs(Permission.CHANGE_MAPPINGS)
def edit(name: str) -> str:
    """Show a file as text to be edited: as in a draft, else as it is in force."""
    desk, draft = visitor.desk(), _draft_named(request.args.get("draft", type=int))
    if draft is None:
        sheet = mapping_sheet.sheet(desk)
        text = "" if _is_new(name) else text_of(sheet, name)
        return _editor(desk, name, text, None, sheet.head.number if sheet.head else 0)
    files = drafts.texts(desk, draft)
    if name not in files and not _is_new(name):
        raise UnknownName(f"draft {draft.id} has no mappings/{name}; it has {', '.join(files)}")
    checked = _findings(desk, files, name) if request.args.get("checked") else None
    return _editor(desk, name, files.get(name, ""), draft, draft.base, checked=checked)


@pages.post("/edit/<name>")
@visitor.needs(Permission.CHANGE_MAPPINGS)
@typed_text.kept
def store(name: str) -> AnyResponse | str | tuple[str, int]:
    """Store what was typed in its draft, and go on: to its problems, or to what it would do."""
    desk, typed = visitor.desk(), _typed()
    base = request.form.get("base", 0, type=int)
    draft = _draft_named(request.form.get("draft", type=int), gone_is_none=True)
    try:
        draft = _stored(desk, name, typed, draft, base)
    except NotPossible as error:
        return _editor(desk, name, typed, draft, base, refused=str(error)), 409
    if draft is None:
        flash("Nothing is another than in force, so nothing was stored.")
        return redirect(url_for("drafts.edit", name=name), 303)
    if request.form.get("do") == "check":
        return redirect(url_for("drafts.edit", name=name, draft=draft.id, checked=1), 303)
    return redirect(url_for("drafts.one", number=draft.id), 303)


@pages.post("/edit/<name>/problems")
@visitor.needs(Permission.CHANGE_MAPPINGS)
def problems(name: str) -> str:
    """Say what is wrong with a text while somebody types it; nothing is stored."""
    desk, draft = visitor.desk(), _draft_named(request.form.get("draft", type=int))
    files = drafts.texts(desk, draft) if draft is not None else mapping_sheet.sheet(desk).texts
    typed = _typed()
    findings = _findings(desk, {**files, name: typed}, name)
    return render_template(
        "problems_of_text.html", findings=findings, lines=typed.splitlines(), name=name
    )


@pages.get("/drafts/<int:number>")
@visitor.needs(Permission.CHANGE_MAPPINGS)
def one(number: int) -> Response:
    """Show a draft: what it changes, what is wrong with it, what it would do; then publish."""
    desk, draft = visitor.desk(), drafts.get(visitor.desk(), number)
    newest = revisions.history(desk, 1)
    job = jobs().of(desk, draft)
    parts = {
        "draft": draft,
        "job": job,
        "published": desk.config.from_ledger,
        "now": desk.now(),
    }
    if request.headers.get("HX-Request"):
        return make_response(render_template("draft_effect.html", **parts))
    files = drafts.texts(desk, draft)
    changes = drafts.shown_against(desk, draft)
    since = newest[0].number - draft.base if newest and not draft.replaces else 0
    page = render_template(
        "draft.html",
        changes=cut(changes),
        findings=_findings(desk, files, ""),
        lines={name: text.splitlines() for name, text in files.items()},
        newer=[head for head in revisions.history(desk, 5) if since and head.number > draft.base],
        members=[name for name in desk.config.connections if name in desk.context.maps],
        command="bridge mappings publish --from DIR --dry-run",
        **parts,
    )
    return make_response(page)


@pages.post("/drafts/<int:number>/effect")
@visitor.needs(Permission.CHANGE_MAPPINGS)
def look(number: int) -> AnyResponse:
    """Begin to look at what a draft would do, or stop that; the draft's page shows how far."""
    desk = visitor.desk()
    if request.form.get("do") == "stop":
        jobs().stop(number)
    else:
        jobs().begin(desk, drafts.get(desk, number))
    return redirect(url_for("drafts.one", number=number) + "#effect", 303)


@pages.post("/drafts/<int:number>/publish")
@visitor.needs(Permission.CHANGE_MAPPINGS)
def publish(number: int) -> AnyResponse:
    """Publish a draft just as its effect was shown."""
    desk = visitor.desk()
    revision, run = jobs().publish(
        desk,
        drafts.get(desk, number),
        note=request.form.get("note", "").strip()[:LONGEST_NOTE],
        accept=bool(request.form.get("accept")),
        override_unsafe=bool(request.form.get("override_unsafe")),
    )
    follows = f"; run {run} brings the tickets to it" if run else ""
    flash(f"Revision {revision} is in force; what runs takes it up within seconds{follows}.")
    return redirect(url_for("mappings.revision", number=revision), 303)


@pages.post("/drafts/<int:number>/bring-in")
@visitor.needs(Permission.CHANGE_MAPPINGS)
def bring_in(number: int) -> AnyResponse:
    """Bring what others have published since into a draft."""
    desk = visitor.desk()
    draft = drafts.bring_in(desk, drafts.get(desk, number))
    flash(f"What others published is in the draft now, which is made from revision {draft.base}.")
    return redirect(url_for("drafts.one", number=number), 303)


@pages.post("/drafts/<int:number>/discard")
@visitor.needs(Permission.CHANGE_MAPPINGS)
def discard(number: int) -> AnyResponse:
    """Forget a draft."""
    drafts.discard(visitor.desk(), number)
    jobs().drop(number)
    flash(f"Draft {number} is gone.")
    return redirect(url_for("drafts.listing"), 303)


@pages.get("/drafts/<int:number>/preview")
@visitor.needs(Permission.CHANGE_MAPPINGS)
def preview(number: int) -> str:
    """Show the newest records of a connection under the mappings in force and under a draft."""
    desk, draft = visitor.desk(), drafts.get(visitor.desk(), number)
    asked = {name: request.args.get(name, "") for name in ("connection", "ref")}
    entity = request.args.get("entity", "") or "ticket"
    records: list[ComparedRecord] = []
    failed = ""
    try:
        if asked["ref"]:
            found = [samples.live(desk, asked["ref"], entity)]
        else:
            found = samples.newest(desk, asked["connection"], entity, PREVIEWED)
        records = samples.beside(desk, drafts.texts(desk, draft), found)
    except (UnknownName, RemoteError, ConfigError) as error:
        failed = str(error)
    member = asked["connection"] or asked["ref"].partition(":")[0]
    return render_template(
        "draft_preview.html",
        draft=draft,
        records=records,
        failed=failed,
        asked=asked,
        entity=entity,
        entities=sorted({entity for of in desk.context.maps.values() for entity in of}),
        members=list(desk.context.maps),
        command=f"bridge mappings preview --connection {member} --newest {PREVIEWED}",
    )


@pages.get("/drafts/<int:number>/files/<name>")
@visitor.needs(Permission.CHANGE_MAPPINGS)
def download(number: int, name: str) -> Response:
    """Give a file as the draft has it, to be kept elsewhere."""
    desk = visitor.desk()
    files = drafts.texts(desk, drafts.get(desk, number))
    if name not in files:
        raise UnknownName(f"draft {number} has no mappings/{name}; it has {', '.join(files)}")
    answer = make_response(files[name])
    answer.mimetype = "application/yaml"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _draft_named(number: int | None, *, gone_is_none: bool = False) -> MappingDraft | None:
    if not number:
        return None
    try:
        return drafts.get(visitor.desk(), number)
    except UnknownName:
        if gone_is_none:  # what was typed becomes a draft of its own, and is not lost
            return None
        raise


def _typed() -> str:
    """Return the text of the form. Browsers send each end of a line as two characters."""
    return request.form.get("text", "").replace("\r\n", "\n")


def _is_new(name: str) -> bool:
    return name == "fields.yaml"


def _stored(
    desk: Desk, name: str, typed: str, draft: MappingDraft | None, base: int
) -> MappingDraft | None:
    """Store a text in its draft, or in a new one; None: it is as in force, and there is none."""
    if not NAME.fullmatch(name):
        raise NotPossible(f"{name} can be no file of the mappings: it is a word and .yaml")
    if draft is not None:
        typed = _as_before(drafts.texts(desk, draft).get(name, ""), typed)
        version = request.form.get("version", 0, type=int)
        brought_in = request.form.get("brought_in", type=int)
        stored = drafts.store_file(desk, draft, version, name, typed, base=brought_in)
        if stored.is_copy:
            flash(
                f"Draft {draft.id} was stored anew meanwhile, by {draft.author}, and stays as it "
                f"is. What you typed is this draft, {stored.draft.id}."
            )
        return stored.draft
    standing = revisions.get(desk, base).files if base else {}
    typed = _as_before(standing.get(name, ""), typed)
    if typed == standing.get(name, ""):
        return None
    return drafts.begin(desk, {name: typed}, base=base)


def _as_before(before: str, typed: str) -> str:
    """Return a text with the ends of lines that the file had before."""
    return typed.replace("\n", "\r\n") if "\r\n" in before else typed


def _findings(desk: Desk, files: Mapping[str, str], name: str) -> list[ProofFinding]:
    """Return what a proof of files finds, what is about one file first; notes are left out."""
    proofs: KeptProofs = current_app.extensions[PROOFS]
    found = proofs.of(desk, files).findings
    worth = [each for each in found if each.severity != "note"]
    at = f"mappings/{name}:"
    return sorted(worth, key=lambda each: not each.at.startswith(at))[:SHOWN_FINDINGS]


def _editor(
    desk: Desk,
    name: str,
    text: str,
    draft: MappingDraft | None,
    base: int,
    *,
    checked: list[ProofFinding] | None = None,
    refused: str = "",
) -> str:
    newest = revisions.history(desk, 1)
    newer = newest[0] if newest and newest[0].number > base else None
    since = None
    if newer is not None:
        old = revisions.get(desk, base).files if base else {}
        found = differences(old, revisions.get(desk, newer.number).files)
        since = [each for each in found if each.file == name]
    return render_template(
        "mapping_editor.html",
        name=name,
        text=text,
        draft=draft,
        base=base,
        newer=newer if newer is not None and not (draft and draft.replaces) else None,
        since=cut(since or []),
        findings=checked,
        lines=text.splitlines(),
        refused=refused,
        now=desk.now(),
        command=f"$EDITOR mappings/{name}; bridge mappings check",
    )
