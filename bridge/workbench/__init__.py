"""The mapping workbench: what mappings make of records, before and while they are in force."""
