"""The fields that the shipped files declare, for who compiles a shipped mapping by itself."""

from bridge.config.fields_file import compile_fields
from bridge.config.yaml_reader import load
from bridge.core.model.entities import with_own
from bridge.home import shipped_folder


def shipped_fields():
    """Return the built-in fields and those of the shipped mappings/fields.yaml."""
    own, problems = compile_fields(load(shipped_folder("mappings") / "fields.yaml", "fields.yaml"))
    assert problems == []
    return with_own(own)
