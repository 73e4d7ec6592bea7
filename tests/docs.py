"""Renew what README and docs/ show of the code: `make docs`. Each block stands between `<!-- name -->` and its end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
from click.testing import CliRunner

from cds_service.chart.records import Gap
from cds_service.cli.main import main as cli
from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.content.model import OverrideReason
from cds_service.reporting.metrics import Metrics, Vocabulary
from cds_service.settings import Client, settings_table
from cds_service.trust.refusal import RefusalReason
from cds_service.web.openapi import openapi
from tests.builders import SERVICES

ROOT = Path(__file__).parents[1]

# The card of the README: this patient, on a day of its own so that the text stays the same.
SHOWN = ROOT / "fixtures" / "scenarios" / "row-001-lumbar-pain-icd10"
SHOWN_ON = "2026-11-22"

_NAMES = {"http://loinc.org": "LOINC", "http://snomed.info/sct": "SNOMED CT", "http://radlex.org": "RadLex"}


def pages() -> list[Path]:
    """Every page for readers, README first."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]


def renewed(text: str) -> str:
    """A page with each of its blocks as the code has it now.

    Raises:
        KeyError: a block has a name that is not known here.
    """
    return re.sub(
        r"<!-- ([a-z-]+) -->\n.*?<!-- end of \1 -->",
        lambda found: f"<!-- {found[1]} -->\n{BLOCKS[found[1]]()}\n<!-- end of {found[1]} -->",
        text,
        flags=re.DOTALL,
    )


def main() -> None:
    """Write the pages that are not as they would be."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if (now := renewed(text)) != text:
            page.write_text(now, encoding="utf-8")
            print(f"{page.relative_to(ROOT)} renewed")


def _table(head: str, rows: Iterable[Iterable[str]]) -> str:
    columns = head.count("|") - 1
    return "\n".join([head, "|" + "---|" * columns, *(f"| {' | '.join(row)} |" for row in rows)])


def _card() -> str:
    """The card of the README as a quotation."""
    result = CliRunner().invoke(cli, ["evaluate", str(SHOWN), "--as-of", SHOWN_ON])
    card = json.loads(result.output)["cards"][0]
    return "\n".join(f"> {line}".rstrip() for line in f"**{card['summary']}**\n\n{card['detail']}".split("\n"))


def _clients() -> str:
    rows = []
    for name, field in Client.model_fields.items():
        default = "needed" if field.is_required() else _shown(field.get_default(call_default_factory=True))
        rows.append((f"`{name}`", default, str(field.description)))
    return _table("| Field | Default | Meaning |", rows)


def _shown(default: Any) -> str:
    return "" if default in (None, ()) else f"`{orjson.dumps(default).decode()}`"


def _orders() -> str:
    rows = (
        (
            f"`{slug}`",
            order.label,
            ", ".join(f"{_NAMES[coding['system']]} `{coding['code']}`" for coding in order.codings),
        )
        for slug, order in load_content().orders.items()
    )
    return _table("| Slug | Study | Codes |", rows)


def _reasons() -> str:
    rows = ((f"`{reason.code}`", reason.display, _days(reason)) for reason in load_content().override_reasons)
    return _table("| Code | Reason | The card stays away |", rows)


def _days(reason: OverrideReason) -> str:
    if reason.days is not None:
        return f"{reason.days} days"
    return "until newer evidence" if reason.keeps_away else "no"


def _statuses() -> str:
    described: dict[str, str] = {}
    for methods in openapi(SERVICES.values(), "", None)["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                if "operation-outcome" in str(answer):
                    described[status] = answer["description"]
    return _table("| Status | |", ((f"**{status}**", described[status]) for status in sorted(described)))


def _refusals() -> str:
    return ", ".join(f"`{reason.value}`" for reason in RefusalReason) + "."


def _gaps() -> str:
    return _table("| Code | In words |", ((f"`{gap.code}`", gap.value) for gap in Gap))


def _metrics() -> str:
    exposed = Metrics("1.0.0", Vocabulary({})).exposition()[0].decode()
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", exposed, re.M))
    rows = (
        (f"`{name}`", kinds[name], text)
        for name, text in re.findall(r"^# HELP (\w+) (.+)$", exposed, re.M)
        # When a series began, which the library adds.
        if not name.endswith("_created")
    )
    return _table("| Metric | Kind | |", rows)


BLOCKS: dict[str, Callable[[], str]] = {
    "card": _card,
    "settings": settings_table,
    "clients": _clients,
    "orders": _orders,
    "reasons": _reasons,
    "statuses": _statuses,
    "refusals": _refusals,
    "gaps": _gaps,
    "metrics": _metrics,
}

if __name__ == "__main__":
    main()
