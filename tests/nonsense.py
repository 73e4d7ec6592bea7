"""Charts in which a status, a code system or a subject is replaced by something that means nothing.

For properties of the kind "what is not understood is never read as 'no' without a count that says so".
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

from cds_service.chart.statuses import CONDITION, ENCOUNTER, OBSERVATION, ORDER, STUDIES
from cds_service.clinical.rules.assessment import Assessment

Json = dict[str, Any]

_STATUS_ELEMENTS = ("clinicalStatus", "verificationStatus", "status")
_TABLES = (CONDITION, OBSERVATION, ENCOUNTER, ORDER, *STUDIES.values())

_LETTERS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)


def means_something(text: str) -> bool:
    """Whether any table of statuses knows a text."""
    return any(table.meaning(text) is not None for table in _TABLES)


nonsense_texts = _LETTERS.filter(lambda text: not means_something(text))
"""Texts that are no status, no system and no reference."""

nonsense_systems = nonsense_texts.map(lambda text: f"urn:nonsense:{text}")
nonsense_statuses = nonsense_texts.flatmap(
    lambda text: st.sampled_from(
        [
            text,
            {"text": text},
            {"coding": [{"system": "urn:nonsense:status", "code": text}]},
            {"coding": [{"code": text, "display": text}]},
        ]
    )
)
nonsense_subjects = nonsense_texts.flatmap(
    lambda text: st.sampled_from(
        [
            None,
            {},
            text,
            {"display": text},
            {"reference": f"#{text}"},
            {"reference": f"urn:uuid:{text}"},
            {"reference": f"https://{text.encode().hex()}.example.net/Patient/pt-1"},
            {"identifier": {"system": text, "value": text}},
        ]
    )
)


def resources_of(prefetch: Mapping[str, Any]) -> Iterator[Json]:
    """The resources of a prefetch, but for the patient."""
    for key, value in prefetch.items():
        if key != "patient" and isinstance(value, dict):
            yield from (entry["resource"] for entry in value.get("entry", ()))


@st.composite
def with_nonsense(draw: st.DrawFn, prefetch: Mapping[str, Any], what: str) -> Json:
    """The prefetch with nonsense in the place of a `status`, `system` or `subject` of one or several resources."""
    changed = copy.deepcopy(dict(prefetch))
    resources = list(resources_of(changed))
    for place in draw(st.sets(st.integers(0, len(resources) - 1), min_size=1)):
        resource = resources[place]
        if what == "subject":
            resource["subject"] = draw(nonsense_subjects)
            resource.pop("patient", None)
        elif what == "status":
            present = [name for name in _STATUS_ELEMENTS if name in resource] or list(_STATUS_ELEMENTS[:2])
            resource[draw(st.sampled_from(present))] = draw(nonsense_statuses)
        else:
            for coding in resource.get("code", {}).get("coding", ()):
                coding["system"] = draw(nonsense_systems)
    return changed


def counted(found: Assessment) -> int:
    """How much of a chart was counted as not understood: codes, statuses, and entries that may be anybody's."""
    return sum(sum(item.gaps.values()) for item in found.understanding)
