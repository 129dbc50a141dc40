"""Where things stand in the files of mappings/: the file, the line, and the path in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.config.yaml_reader import Document, Where, dotted
from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.model.values import Marker, Raw

SYNCS = "mappings/syncs.yaml"
AGENTS = "mappings/agents.yaml"


@dataclass(frozen=True, slots=True)
class FilePlaces:
    """The lines of every file of mappings/ that was read."""

    documents: Mapping[str, Document] = field(default_factory=dict)
    """By file, as shown to people."""
    file_of: Mapping[str, str] = field(default_factory=dict)
    """Connection -> the file of its mapping."""

    def in_mapping(self, connection: str, *where: object) -> tuple[str, str]:
        """Return the line of a part of a connection's mapping, `file:line`, and its path."""
        return self._place(self.file_of.get(connection, ""), where)

    def in_syncs(self, *where: object) -> tuple[str, str]:
        """Return the line of a part of syncs.yaml, `file:line`, and its path."""
        return self._place(SYNCS, where)

    def in_agents(self, *where: object) -> tuple[str, str]:
        """Return the line of a part of agents.yaml, `file:line`, and its path."""
        return self._place(AGENTS, where)

    def says(self, *where: object) -> bool:
        """Return whether syncs.yaml has this part itself, and not one that stands for it."""
        return SYNCS in self.documents and where in self.documents[SYNCS].lines

    def of_reading(self, connection: str, entity: str, field: str, raw: Raw | Marker) -> str:
        """Return the line that decides what a raw value reads as: its row's, else the table's.

        Where there is no table, it is the field's.
        """
        single = raw is None or isinstance(raw, str | int | float)
        below = ("read", raw) if single else ("read",)
        return self.in_mapping(connection, entity, "fields", field, *below)[0]

    def of_fields(
        self, maps: Mapping[str, Mapping[str, EntityMap]]
    ) -> dict[tuple[str, str, str], str]:
        """Return where each field stands, by connection, entity and field."""
        return {
            (connection, entity, name): self.in_mapping(connection, entity, "fields", name)[0]
            for connection, by_entity in maps.items()
            for entity, entity_map in by_entity.items()
            for name in entity_map.fields
        }

    def _place(self, file: str, where: Where) -> tuple[str, str]:
        document = self.documents.get(file) or Document(file)
        _file, line, _what = document.problem(where, "")
        return f"{file}:{line}", dotted(where)
