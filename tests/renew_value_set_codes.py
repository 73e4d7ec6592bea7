"""Write `tests/value_set_codes.json` anew: how many codes each value set holds, and which (as a SHA-256).

Run it only where a change of codes is meant, and commit the file together with the change:

    python -m tests.renew_value_set_codes
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.content.terminology import ValueSet

FILE = Path(__file__).with_name("value_set_codes.json")
COMMAND = "python -m tests.renew_value_set_codes"

Entry = Mapping[str, int | str]


def entry(value_set: ValueSet) -> Entry:
    """The number of codes, categories and patterns of a set, and a SHA-256 over their sorted lines.

    A line is system, code and category with tabs between: one of the last two is empty; of a pattern, both are.
    """
    lines = sorted(
        [f"{system}\t{code}\t" for system, code, _ in value_set.concepts]
        + [f"{system}\t\t{category}" for system, category in value_set.categories]
        + [f"{system}\t\t\t{pattern}" for system, pattern in value_set.patterns]
    )
    return {"codes": len(lines), "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest()}


def entries() -> Mapping[str, Entry]:
    """The entry of every value set in `cards/value-sets`, by its id."""
    value_sets = load_content().terminology.value_sets
    return {set_id: entry(value_sets[set_id]) for set_id in sorted(value_sets)}


def committed_entries() -> Mapping[str, Entry]:
    """The entries as they were last committed."""
    read: Mapping[str, Entry] = json.loads(FILE.read_text(encoding="utf-8"))
    return read


def changes(committed: Mapping[str, Entry], present: Mapping[str, Entry]) -> list[str]:
    """One sentence for each value set that came, went or changed; none where nothing did."""
    sentences = []
    for set_id in sorted(committed.keys() | present.keys()):
        before, now = committed.get(set_id), present.get(set_id)
        if before == now:
            continue
        if now is None:
            what = "it is gone"
        elif before is None:
            what = "it is new"
        elif before["codes"] == now["codes"]:
            what = f"it still holds {now['codes']} codes, but not the same"
        else:
            what = f"it held {before['codes']} codes and now holds {now['codes']}"
        sentences.append(f"value set '{set_id}': {what}; if that is meant, run `{COMMAND}` and commit {FILE.name}")
    return sentences


def renew() -> None:
    """Write the file."""
    FILE.write_text(json.dumps(entries(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    differences = changes(committed_entries() if FILE.exists() else {}, entries())
    renew()
    print("\n".join(differences) or "nothing changed")
