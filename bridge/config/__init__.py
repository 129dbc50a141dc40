"""Loads, checks and compiles settings, mappings and syncs from YAML.

`load` returns everything or raises ConfigError with all problems of all files; `check` returns the
problems as a list, and also tries the mappings on their own examples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bridge.config import yaml_reader
from bridge.config.agents_file import Agents, compile_agents
from bridge.config.digest import digest
from bridge.config.env_file import EnvFile, read_env_file
from bridge.config.fields_file import compile_fields
from bridge.config.file_places import AGENTS, SYNCS, FilePlaces
from bridge.config.mapping_files import check_shape, compile_mapping, run_examples
from bridge.config.mapping_texts import LEDGER, MappingTexts, Published, whose
from bridge.config.notice_section import sync_problems
from bridge.config.one_account import Classes
from bridge.config.settings import (
    SETTINGS,
    CompiledSettings,
    SandboxAccount,
    Settings,
    compile_settings,
    compile_stores,
    credentials_at,
    unknown_problems,
)
from bridge.config.syncs_file import KnownNames, compile_syncs
from bridge.config.yaml_reader import Document, Problem
from bridge.core.mapping.agent_table import AgentTable
from bridge.core.mapping.compiler import CompiledEntity, MappingError, compile_field
from bridge.core.mapping.doors import opened
from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.model.capabilities import EntityCapabilities
from bridge.core.model.entities import BUILT_IN, FieldTable, with_own
from bridge.core.model.syncs import Connection, Member, Sync
from bridge.core.model.values import shown
from bridge.errors import ConfigError

__all__ = [
    "Agents",
    "Config",
    "InLedger",
    "SandboxAccount",
    "Settings",
    "check",
    "credentials_at",
    "load",
    "load_stores",
    "usual_stores",
]

FIELDS = "mappings/fields.yaml"
_STORES = {"database": "${BRIDGE_DATABASE_URL:-sqlite}"}
"""As the shipped file has it."""
NO_HOME = "{file} is not there; make a home with `bridge init DIR`, or name yours with --home"
NOT_SYSTEMS = ("syncs", "agents", "fields")
InLedger = Callable[[Settings], Published | None]
"""Returns the mappings that are published in the ledger; None: none ever were."""


@dataclass(frozen=True, slots=True)
class Config:
    """All that the files say, checked and compiled."""

    home: Path
    settings: Settings
    connections: Mapping[str, Connection]
    syncs: Mapping[str, Sync]
    maps: Mapping[str, Mapping[str, EntityMap]]
    """Connection -> entity -> its compiled mapping."""
    agents: Agents
    capabilities: Mapping[str, Mapping[str, EntityCapabilities]] = field(default_factory=dict)
    """Connection -> entity -> what can be done with it there, as its mapping uses it."""
    fields: FieldTable = field(default_factory=lambda: BUILT_IN)
    """The fields that there are: the built-in ones, and those of mappings/fields.yaml."""
    warnings: tuple[str, ...] = field(default=())
    """Settings that work, but deserve a look."""
    revision: str = ""
    """A digest of all that decides what is mirrored and how, without secrets and comments."""
    places: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    """Connection, entity and field -> where its mapping stands: `mappings/switch.yaml:12`."""
    declared: Mapping[str, Mapping[str, CompiledEntity]] = field(default_factory=dict, repr=False)
    """Like `maps`, with all that was declared: for the proof."""
    lines: FilePlaces = field(default_factory=FilePlaces, repr=False)
    """Where each part of the mappings, of the syncs and of the people stands."""
    files: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Every file of mappings/ by its name: its text, byte for byte."""
    number: int = 0
    """The number of the published revision that the mappings are; 0: they are the home's files."""
    compiled: CompiledSettings | None = field(default=None, repr=False)
    """What config/bridge.yaml came to, by which other mappings are compiled (`with_mappings`)."""

    @property
    def from_ledger(self) -> bool:
        """Return whether the mappings in force are those that were published."""
        return self.settings.mappings == LEDGER


def load(
    home: Path,
    *,
    environ: Mapping[str, str],
    sandbox: Mapping[str, SandboxAccount] | None = None,
    connectors: Classes,
    in_ledger: InLedger | None = None,
) -> Config:
    """Load a home's configuration. Raises ConfigError with the problems of all files.

    `in_ledger` is asked for the mappings where the settings say `mappings: ledger`; without it, or
    while nothing is published, they are the home's files.
    """
    loader = HomeLoader(home, environ, sandbox, connectors, in_ledger)
    config = loader.all()
    loader.problems += whose(loader.in_force, loader.problems)
    return without_problems(loader, config)


def without_problems(loader: HomeLoader, config: Config) -> Config:
    """Return what a loader made, or raise ConfigError with all that it found wrong."""
    if loader.problems:
        raise ConfigError(yaml_reader.as_lines(loader.problems))
    return config


def load_stores(home: Path, environ: Mapping[str, str]) -> Settings:
    """Return where the ledger and Redis are; no key of any connection is needed for that.

    Raises ConfigError with the problems of these two alone. The other settings are as by default.
    """
    if not (home / SETTINGS).exists():
        raise ConfigError([NO_HOME.format(file=home / SETTINGS)])
    document = yaml_reader.load(home / SETTINGS, SETTINGS)
    settings, problems = compile_stores(document, home, environ)
    if problems:
        raise ConfigError(yaml_reader.as_lines(problems))
    return settings


def usual_stores(home: Path, environ: Mapping[str, str]) -> Settings:
    """Return where the ledger is by the shipped file, for a home whose own cannot be read."""
    settings, _problems = compile_stores(Document(SETTINGS, dict(_STORES)), home, environ)
    return settings


def check(
    home: Path,
    *,
    environ: Mapping[str, str],
    sandbox: Mapping[str, SandboxAccount] | None = None,
    connectors: Classes,
    in_ledger: InLedger | None = None,
) -> list[str]:
    """Return the problems that `load` raises, and those of unused mappings and of examples."""
    loader = HomeLoader(home, environ, sandbox, connectors, in_ledger)
    loader.all()
    return all_problems(loader)


def all_problems(loader: HomeLoader) -> list[str]:
    """Return a loader's problems with those of unused mappings and of all examples."""
    connectors = loader.connectors
    for name in loader.texts.all():
        stem = name.removesuffix(".yaml")
        if stem not in loader.documents and stem not in NOT_SYSTEMS:
            loader.compile_alone(stem)
    in_examples = [
        problem
        for name, document in loader.documents.items()
        if name not in loader.broken
        for problem in run_examples(document, loader.systems[name], connectors, loader.fields)
    ]
    loader.problems += in_examples
    return yaml_reader.as_lines([*loader.problems, *whose(loader.in_force, loader.problems)])


class HomeLoader:
    """Reads the files of one home, and collects their problems."""

    def __init__(
        self,
        home: Path,
        environ: Mapping[str, str],
        sandbox: Mapping[str, SandboxAccount] | None,
        connectors: Classes,
        in_ledger: InLedger | None = None,
    ) -> None:
        self.home, self.sandbox, self.connectors = home, sandbox, connectors
        self.in_ledger = in_ledger
        self.in_force: Published | None = None
        self.texts = MappingTexts(home)
        # A sandbox needs no keys, and must not be led to the real systems' ledger by one.
        self.env_file = EnvFile() if sandbox is not None else read_env_file(home)
        self.environ = self.env_file.below(environ)
        self.problems: list[Problem] = list(self.env_file.problems)
        self.documents: dict[str, Document] = {}
        self.systems: dict[str, str] = {}
        """Mapping file -> the system that it is for; empty: unusable."""
        self.mapping_of: dict[str, str] = {}
        """Connection -> its mapping file."""
        self.read_files: dict[str, Document] = {}
        """Files of mappings/ that were read, as shown to people."""
        self.broken: set[str] = set()
        """Mapping files with problems."""
        self.fields = BUILT_IN

    def all(self) -> Config:
        """Load everything, as far as the problems allow."""
        settings = self.settings()
        from_ledger = settings.settings.mappings == LEDGER
        if from_ledger and self.in_ledger is not None:
            self.in_force = self.in_ledger(settings.settings)
        return self.compiled(settings, self.in_force)

    def compiled(self, settings: CompiledSettings, published: Published | None) -> Config:
        """Load mappings to these settings, as far as the problems allow; None: the home's files."""
        self.texts = MappingTexts(self.home, published)
        number = published.number if published is not None else 0
        self.fields = self.known_fields()
        agents = self.agents(settings.names)
        declared = self.mappings(settings, agents)
        syncs = self.syncs(settings, declared, agents)
        maps = {
            name: {entity: made.map for entity, made in by_entity.items()}
            for name, by_entity in declared.items()
        }
        stems = self.mapping_of.items()
        lines = FilePlaces(self.read_files, {name: f"mappings/{stem}.yaml" for name, stem in stems})
        return Config(
            revision=digest(settings.connections, self.read_files, number),
            files=self.texts.all(),
            number=number,
            compiled=settings,
            home=self.home,
            settings=settings.settings,
            connections=settings.connections,
            syncs=syncs,
            maps=maps,
            capabilities={
                name: opened(
                    self.connectors[connection.system].capabilities_of(connection),
                    maps.get(name, {}),
                )
                for name, connection in settings.connections.items()
            },
            places=lines.of_fields(maps),
            declared=declared,
            lines=lines,
            agents=agents,
            fields=self.fields,
            warnings=tuple(
                yaml_reader.as_lines(
                    [*self.env_file.warnings, *settings.warnings, *self.unused(settings, syncs)]
                )
            ),
        )

    def read(self, shown: str) -> Document | None:
        """Read one file, and collect its problems."""
        if shown == SETTINGS and not (self.home / shown).exists():
            self.problems.append((shown, 1, NO_HOME.format(file=self.home / shown)))
            return None
        try:
            text = self.texts.read(shown)
            document = yaml_reader.parse(text, shown)
        except ConfigError as error:
            self.problems += [_from_line(problem) for problem in error.problems]
            return None
        if shown != SETTINGS:  # that one counts as compiled, without its secrets
            self.read_files[shown] = document
        return document

    def settings(self) -> CompiledSettings:
        """Read config/bridge.yaml."""
        document = self.read(SETTINGS)
        if document is None:
            return CompiledSettings(Settings("", "embedded"), {}, None, [], [])
        home, environ = self.home, self.environ
        compiled = compile_settings(document, home, environ, self.sandbox, self.connectors)
        self.problems += compiled.problems
        return compiled

    def known_fields(self) -> FieldTable:
        """Read mappings/fields.yaml, if there is one, and add its fields to the built-in ones."""
        document = self.read(FIELDS) if self.texts.has(FIELDS) else None
        if document is None:
            return BUILT_IN
        own, problems = compile_fields(document)
        self.problems += problems
        return with_own(own)

    def agents(self, names: tuple[str, ...] | None) -> Agents:
        """Read mappings/agents.yaml, if there is one."""
        if not self.texts.has(AGENTS):
            return Agents()
        document = self.read(AGENTS)
        if document is None:
            return Agents()
        agents, problems = compile_agents(document, names)
        self.problems += problems
        return agents

    def mappings(
        self, settings: CompiledSettings, agents: Agents
    ) -> dict[str, dict[str, CompiledEntity]]:
        """Compile the mapping of every connection."""
        mappings: dict[str, dict[str, CompiledEntity]] = {}
        for name, connection in settings.connections.items():
            stem = self.mapping_of[name] = connection.mapping
            why = self.why_no_file(stem)
            document, system = (None, "") if why else self.mapping(stem)
            if system not in ("", connection.system):
                why = f"{stem}.yaml is for {system}, and this connection is {connection.system}"
            if why:
                at = ("connections", name, "mapping")
                self.problems.append(settings.document.problem(at, why))
            if why or document is None or not system:
                continue
            of_connection = (agents.table(name), self.connectors, self.fields)
            compiled, problems = compile_mapping(
                document, system, *of_connection, connection.unknown_values
            )
            self.problems += problems
            if problems:
                self.broken.add(stem)
            else:
                mappings[name] = compiled
                self.problems += unknown_problems(settings, connection, compiled)
        return mappings

    def compile_alone(self, stem: str) -> None:
        """Compile a mapping file for no connection: its problems are collected."""
        document, system = self.mapping(stem)
        if document is None or not system:
            return
        _maps, problems = compile_mapping(
            document, system, AgentTable(), self.connectors, self.fields
        )
        self.problems += problems
        self.broken |= {stem} if problems else set()

    def why_no_file(self, stem: str) -> str:
        """Return why a connection cannot have this mapping file; empty if there is one."""
        if not _is_stem(stem):
            return f"is {shown(stem)}; allowed the name of a file in mappings/, without .yaml"
        if not self.texts.has(f"mappings/{stem}.yaml"):
            where = "in the revision that is in force, there" if self.in_force else "there"
            return f"{where} is no mappings/{stem}.yaml; make it, or name another file"
        return ""

    def mapping(self, stem: str) -> tuple[Document | None, str]:
        """Read a mapping file once; return it with its system (empty: unusable)."""
        if stem in self.systems:
            return self.documents.get(stem), self.systems[stem]
        document = self.read(f"mappings/{stem}.yaml")
        self.systems[stem] = ""
        if document is None:
            return None, ""
        self.documents[stem] = document
        system, problems = check_shape(document, self.connectors)
        self.problems += problems
        if problems:
            self.broken.add(stem)
        self.systems[stem] = system
        return document, system

    def syncs(
        self,
        settings: CompiledSettings,
        compiled: Mapping[str, dict[str, CompiledEntity]],
        agents: Agents,
    ) -> dict[str, Sync]:
        """Read mappings/syncs.yaml."""
        document = self.read(SYNCS)
        if document is None:
            return {}
        mapped = {
            name: {entity: made.fields for entity, made in by_entity.items()}
            for name, by_entity in compiled.items()
        }
        known = KnownNames(
            settings.connections, settings.names, self.connectors, mapped, self.fields
        )
        syncs, problems = compile_syncs(document, known)
        self.problems += [*problems, *sync_problems(settings.document, document.data)]
        for sync in syncs.values():
            for name, member in sync.members.items():
                if "tags" in member.options and name in compiled:
                    self.replace_tag_options(document, sync, member, compiled[name], agents)
        return syncs

    def replace_tag_options(
        self,
        document: Document,
        sync: Sync,
        member: Member,
        compiled: dict[str, CompiledEntity],
        agents: Agents,
    ) -> None:
        """Compile an entity's tags anew, with a sync member's options instead of the mapping's."""
        declared = self.documents[self.mapping_of[member.connection]].data[sync.entity]["fields"][
            "tags"
        ]
        row = {"path": declared} if isinstance(declared, str) else declared
        entity = compiled[sync.entity]
        try:
            made = compile_field(
                self.fields[sync.entity]["tags"],
                {**row, "as": {"tags": member.options["tags"]}},
                agents.table(member.connection),
            )
        except MappingError as error:
            at = (sync.name, "members", member.connection, "tags")
            self.problems += [document.problem(at, what) for _where, what in error.problems]
            return
        compiled[sync.entity] = replace(
            entity,
            map=replace(entity.map, fields={**entity.map.fields, "tags": made.map}),
            fields={**entity.fields, "tags": made},
        )

    def unused(self, settings: CompiledSettings, syncs: Mapping[str, Sync]) -> list[Problem]:
        """Return warnings about connections in no sync, and without any news of changes."""
        used = {name for sync in syncs.values() for name in sync.members}
        warnings = {
            name: f"is in no sync of {SYNCS}" for name in settings.connections if name not in used
        }
        place = settings.document.problem
        lines = [place(("connections", name), what) for name, what in warnings.items()]
        silent = "has neither a webhook nor a poll; changes show once a day"
        for name, connection in settings.connections.items():
            if connection.webhook is None and connection.poll is None:
                lines.append(place(("connections", name), silent))
        return lines


def _is_stem(stem: str) -> bool:
    return stem.replace("-", "").replace("_", "").isalnum() and stem not in NOT_SYSTEMS


def _from_line(problem: str) -> Problem:
    """Take a problem's line apart again, so that it sorts among the others."""
    file, line, what = problem.split(":", 2)
    return file, int(line), what.lstrip()
