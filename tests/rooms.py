"""How the rooms of `cds_service` import each other: `python -m tests.rooms [FOLDER]`.

A room is a package or module directly below `cds_service`; `clinical` has one for reading, one for what rules share,
and one for each rule. Printed are the rooms, the floors on which they stand (a room stands one floor above the highest
room that it imports), circles, and imports that run up, judged by the order of floors in `.importlinter`.
"""

from __future__ import annotations

import configparser
import sys
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp

_PACKAGE = "cds_service"
_SPLIT = "clinical"


def room_of(module: str) -> str:
    """The room of a module; the package itself and its program belong to none."""
    parts = module.split(".")[1:]
    if not parts or parts[0] == "__main__":
        return ""
    if parts[0] != _SPLIT or len(parts) == 1:
        return parts[0] if parts[0] != _SPLIT else ""
    is_rule = parts[1] == "rules" and len(parts) > 2 and parts[2] == "breast_cancer_back_pain"
    return ".".join(parts[: 3 if is_rule else 2])


def imports_of_rooms() -> dict[str, set[str]]:
    """Each room with the rooms that it imports."""
    graph = grimp.build_graph(_PACKAGE, cache_dir=None)
    rooms: dict[str, set[str]] = {}
    for module in graph.modules:
        room = room_of(module)
        if room:
            imported = {room_of(found) for found in graph.find_modules_directly_imported_by(module)}
            rooms.setdefault(room, set()).update(imported - {room, ""})
    return rooms


def circle_in(rooms: dict[str, set[str]]) -> list[str]:
    """The rooms of one circle, or an empty list."""
    try:
        TopologicalSorter(rooms).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def floors_of(rooms: dict[str, set[str]]) -> dict[str, int]:
    """The floor of each room, from 1; there must be no circle."""
    floors: dict[str, int] = {}
    for room in TopologicalSorter(rooms).static_order():
        floors[room] = 1 + max((floors[below] for below in rooms.get(room, ())), default=0)
    return floors


def order_of_floors(file: Path) -> list[list[str]]:
    """The floors of the layout, the top one first."""
    read = configparser.ConfigParser()
    read.read(file)
    lines = read["importlinter:contract:floors"]["layers"].split("\n")
    return [[name.strip() for name in line.split("|")] for line in lines if line.strip()]


def upward(rooms: dict[str, set[str]], order: Iterable[Iterable[str]]) -> list[str]:
    """Imports from a floor to one above it or to a neighbor on it."""
    place = {name: number for number, names in enumerate(order) for name in names}
    return [
        f"{room} -> {other}"
        for room, others in sorted(rooms.items())
        for other in sorted(others)
        if (top := place.get(room.split(".")[0])) is not None
        and (found := place.get(other.split(".")[0])) is not None
        and room.split(".")[0] != other.split(".")[0]
        and found <= top
    ]


def main(folder: Path) -> None:
    """Print rooms, floors, circles and upward imports of the checkout in `folder`."""
    sys.path.insert(0, str(folder))
    rooms = imports_of_rooms()
    circle = circle_in(rooms)
    print(f"rooms: {len(rooms)}")
    if circle:
        print(f"circle: {' -> '.join(circle)}")
    else:
        floors = floors_of(rooms)
        print(f"floors: {max(floors.values())}\ncircles: none")
        for number in range(max(floors.values()), 0, -1):
            print(f"  {number:2}  {', '.join(sorted(room for room, floor in floors.items() if floor == number))}")
    runs_up = upward(rooms, order_of_floors(Path(__file__).parents[1] / ".importlinter"))
    print(f"imports that run up: {len(runs_up)}", *runs_up, sep="\n  ")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1])
