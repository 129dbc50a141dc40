"""What a compiled mapping costs: tickets of 15 fields read into our words, and written back.

The mapping is the shipped one of Switch with six fields of one's own, of the kinds that it lacks.
Each ticket is another one, so that nothing is found in a cache that would not be there in use.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator
from typing import Any

from bench.figures import figure
from bridge.config import yaml_reader
from bridge.core.mapping.agent_table import AgentTable
from bridge.core.mapping.compiler import CompiledEntity, compile_entity
from bridge.core.model.entities import BUILT_IN, Field
from bridge.home import shipped_files

RECORDS = 20_000
FIELDS = 15
LEAST_PER_SECOND = 20_000
AGENTS = 20
BARE_ROUNDS = 2_000_000
OWN = {
    "due_at": ("datetime", {"path": "custom_fields.due", "as": "unix-seconds"}),
    "first_day": ("date", "custom_fields.first_day"),
    "amount": ("number", "custom_fields.amount"),
    "paid": ("boolean", "custom_fields.paid"),
    "page": ("url", "custom_fields.page"),
    "order_no": ("text", "custom_fields.order_no"),
}
"""Name -> kind, and how it is mapped."""


def mapping() -> CompiledEntity:
    """Compile the mapping of 15 fields."""
    text = shipped_files()["mappings/switch.yaml"]
    declared = yaml_reader.parse(text, "switch.yaml").data["ticket"]
    fields = {**declared["fields"], **{name: mapped for name, (_kind, mapped) in OWN.items()}}
    known = {
        **BUILT_IN["ticket"],
        "team": Field("team", "choice", ("billing", "product", "infra")),
        **{name: Field(name, kind) for name, (kind, _mapped) in OWN.items()},
    }
    people = {f"agent{number}@support.example": f"usr_{number}" for number in range(AGENTS)}
    made = compile_entity("ticket", {**declared, "fields": fields}, AgentTable(people), known)
    if len(made.map.fields) != FIELDS:
        raise SystemExit(f"the mapping has {len(made.map.fields)} fields, not {FIELDS}")
    return made


def tickets(count: int) -> Iterator[dict[str, Any]]:
    """Make so many tickets as Switch sends them, each another one."""
    statuses = ("new", "open", "in_progress", "pending", "resolved", "closed")
    priorities = ("low", "medium", "high", "urgent")
    teams = ("Billing", "Product", "Infrastructure", None)
    for number in range(count):
        minute = f"{number // 60 % 24:02}:{number % 60:02}"
        yield {
            "id": f"tkt_{number}",
            "number": number,
            "subject": f"Order {number} did not arrive",
            "description": f"It was sent {number} days ago.\nWhere is it?\n" * 5,
            "status": statuses[number % 6],
            "priority": priorities[number % 4],
            "assignee": {"id": f"usr_{number % AGENTS}", "name": "An agent"},
            "customer": {"email": f"Customer{number}@example.com", "name": "A customer"},
            "tags": ["Shipping", f"week-{number % 52}", "vip"],
            "created_at": f"2026-03-{number % 28 + 1:02}T{minute}:00Z",
            "updated_at": f"2026-04-{number % 28 + 1:02}T{minute}:00Z",
            "custom_fields": {
                "team": teams[number % 4],
                "due": 1_775_044_800 + number,
                "first_day": f"2026-03-{number % 28 + 1:02}",
                "amount": number / 4,
                "paid": number % 2 == 0,
                "page": f"https://Shop.example/orders/{number}",
                "order_no": f"A-{number}",
            },
        }


def measure(count: int) -> dict[str, float]:
    """Read so many tickets, and write what was read; return both per second of CPU."""
    compiled, records = mapping().map, list(tickets(count))
    gc.collect()
    began = time.process_time()
    ours = [compiled.canonical(record) for record in records]
    read = time.process_time()
    for values in ours:
        for name, value in values.items():
            field = compiled.fields[name]
            if field.write_key is not None and not field.is_set:
                field.write(value)
    written = time.process_time()
    if any(len(values) != FIELDS for values in ours):
        raise SystemExit("not every field was read")
    return {
        "read": count / (read - began),
        "written": count / (written - read),
        "bare": BARE_ROUNDS / bare_seconds(),
    }


def bare_seconds() -> float:
    """Return what a loop that only adds takes here: the rates above are as fast as a machine is."""
    began, total = time.process_time(), 0
    for number in range(BARE_ROUNDS):
        total += number * number % 7
    return time.process_time() - began


def run(count: int = RECORDS, rounds: int = 5) -> dict[str, Any]:
    """Measure several times over."""
    turns = [measure(count) for _ in range(rounds)]
    return {
        "name": "a compiled mapping of 15 fields",
        "turns": turns,
        "figures": [
            figure(
                "mapping: tickets of 15 fields read, on one core",
                [each["read"] for each in turns],
                unit="/s",
                limit=-LEAST_PER_SECOND,
            ),
            figure(
                "mapping: written back, on one core",
                [each["written"] for each in turns],
                unit="/s",
            ),
            figure(
                "mapping: rounds of a bare loop of Python, for comparison",
                [each["bare"] for each in turns],
                unit="/s",
            ),
        ],
    }


if __name__ == "__main__":
    for each in run()["figures"]:
        sys.stdout.write(f"{each['what']}: {each['value']:,.0f} {each['unit']}\n")
