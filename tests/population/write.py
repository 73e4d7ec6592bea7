"""Write made-up patients as a Bulk Data export."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import orjson

from tests.population.clones import Clone, clones
from tests.population.expected import Expected
from tests.population.people import END, last_seen, person

# Servers begin another file after so many lines; here the resources of one patient then lie in files far apart.
_LINES_PER_FILE = 200_000

_TYPES = ("Patient", "Condition", "Observation", "Encounter", "DiagnosticReport", "ServiceRequest", "Procedure",
          "AllergyIntolerance", "Device")  # fmt: skip


def write_population(folder: Path, size: int, seed: int = 1) -> Expected:
    """Write so many patients; returns what a replay must find."""
    folder.mkdir(parents=True)
    expected = Expected(END)
    counts = dict.fromkeys(_TYPES, 0)
    with ExitStack() as open_files:
        files = {kind: open_files.enter_context((folder / f"{kind}.000.ndjson").open("w")) for kind in _TYPES}
        for number in range(size):
            lines = person(number, seed, expected) if number else last_seen(expected)
            for kind, line in lines:
                if counts[kind] and counts[kind] % _LINES_PER_FILE == 0:
                    name = f"{kind}.{counts[kind] // _LINES_PER_FILE:03}.ndjson"
                    files[kind].close()
                    files[kind] = open_files.enter_context((folder / name).open("w"))
                counts[kind] += 1
                files[kind].write(line + "\n")
    return expected


def write_clones(folder: Path, count: int, seed: int = 1) -> list[Clone]:
    """Write so many clones of each scenario; returns them."""
    folder.mkdir(parents=True)
    made = list(clones(count, seed, END))
    lines: dict[str, list[bytes]] = {kind: [] for kind in _TYPES}
    for clone in made:
        for resource in clone.resources:
            lines.setdefault(resource["resourceType"], []).append(orjson.dumps(resource) + b"\n")
    for kind, found in lines.items():
        (folder / f"{kind}.ndjson").write_bytes(b"".join(found))
    return made
