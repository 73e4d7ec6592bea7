"""Overlays that tests write: only what differs from the content."""

from __future__ import annotations

import json
from pathlib import Path

from cds_service.clinical import registry
from cds_service.content.load import ContentReading
from cds_service.content.model import Content
from tests.content_copies import RULE, Json

SNOMED = "http://snomed.info/sct"

# A code that no value set has, with its display (SNOMED CT); a site may want to read it as low back pain.
NEW_CODE = {"code": "202788007", "display": "Degenerative lumbar spinal stenosis (disorder)"}
COPYRIGHT = "Codes confirmed in: SNOMED CT, as the site's terminology server has it."

WORDING, RULE_FILE = f"{RULE}/wording.toml", f"{RULE}/rule.toml"
SENTENCE = "Breast cancer history + {pain}: rule out spinal metastasis. Order {study}."
CHANGED_SENTENCE = f'[summary]\nimaging = "{SENTENCE}"\n'


def changed_number(value: int, name: str = "new_window_days") -> str:
    return f'[threshold.{name}]\nvalue = {value}\nwhy = "Agreed for this site."\nsource = "Spine board of the site"\n'


def write(overlay: Path, file: str, text: str) -> Path:
    """Write one file of an overlay; the overlay."""
    path = overlay / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return overlay


def write_codes(overlay: Path, set_id: str, **more: object) -> Path:
    """Write what differs from a value set: `include`, `exclude`, and other elements as they are."""
    compose = {name: more.pop(name) for name in ("include", "exclude") if name in more}
    data: Json = {"resourceType": "ValueSet", "id": set_id, **({"compose": compose} if compose else {}), **more}
    return write(overlay, f"value-sets/{set_id}.json", json.dumps(data))


def listed(*codes: dict[str, str], system: str = SNOMED) -> list[Json]:
    """Codes of one system as a value set lists them."""
    return [{"system": system, "concept": list(codes)}]


def read(*overlays: Path, folder: Path | None = None) -> ContentReading:
    """The content with overlays, as it is now."""
    return registry.read(folder, overlays)


def usable(*overlays: Path, folder: Path | None = None) -> Content:
    """The content with overlays, which must be without problems."""
    reading = read(*overlays, folder=folder)
    assert not reading.problems, reading.problems
    return reading.contents[0]


def problems(*overlays: Path, folder: Path | None = None) -> list[str]:
    return [str(problem) for problem in read(*overlays, folder=folder).problems]


def only_problem(*overlays: Path) -> str:
    (problem,) = problems(*overlays)
    return problem
