"""Write a made-up population and what a replay must find in it."""

from __future__ import annotations

import argparse
from pathlib import Path

import orjson

from tests.population.write import write_clones, write_population


def main() -> None:
    """The command behind `make population`."""
    parser = argparse.ArgumentParser(prog="python -m tests.population", description=__doc__)
    parser.add_argument("--size", type=int, default=10_000, help="how many patients")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("population"))
    given = parser.parse_args()
    expected = write_population(given.out / "export", given.size, given.seed)
    (given.out / "expected.json").write_bytes(orjson.dumps(expected.plain(), option=orjson.OPT_INDENT_2))
    clones = write_clones(given.out / "clones", 2, given.seed)
    listed = {clone.identity: {"at": clone.at.isoformat()} | clone.expected for clone in clones}
    (given.out / "clones-expected.json").write_bytes(orjson.dumps(listed, option=orjson.OPT_INDENT_2))
    print(
        f"{given.size:,} patients in {given.out}/export, {len(listed):,} clones of the scenarios in {given.out}/clones"
    )


if __name__ == "__main__":
    main()
