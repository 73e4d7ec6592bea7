"""A mistake in a TOML file of the content stops the start, and is named by file and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.content_copies import RULE, refusal, replace_in

LOINC = "http://loinc.org"

# file, pattern, replacement, part of the field, part of the message
MISTAKES = {
    "field missing, rule": (
        f"{RULE}/rule.toml",
        r"^owner = .*\n",
        "",
        "",
        "'owner' is a required property",
    ),
    "field missing, region": (f"{RULE}/rule.toml", r"^sacral = .*\n", "", "mri_of_region", "'sacral'"),
    "field missing, evidence source": (
        f"{RULE}/evidence.toml",
        r"^source = .*\n",
        "",
        "statement.0",
        "'source'",
    ),
    "field missing, source attribute": (
        f"{RULE}/source-attributes.toml",
        r"^use_of_race = .*\n",
        "",
        "",
        "'use_of_race'",
    ),
    "field missing, override reason": (
        f"{RULE}/override-reasons.toml",
        r"^display = .*\n",
        "",
        "reason.0",
        "'display'",
    ),
    "field missing, order label": (
        f"{RULE}/orders.toml",
        r"^label = .*\n",
        "",
        "mri-cervical-spine",
        "'label'",
    ),
    "field missing, flag": (
        f"{RULE}/text-patterns.toml",
        r"^\[flag\.changed\]",
        "[flag.change]",
        "flag",
        "'changed'",
    ),
    "reference, read_as": (
        "code-systems.toml",
        r'^read_as = ".*"',
        'read_as = "http://hl7.org/fhir/sid/icd-1"',
        "system.4.read_as",
        "no system",
    ),
    "field missing, code system name": ("code-systems.toml", r"^name = .*\n", "", "system.0", "'name'"),
    "state that is none, caution": (
        f"{RULE}/cautions.toml",
        '^state = "dialysis"',
        'state = "dialyzed"',
        "caution.dialysis.state",
        "must be one of",
    ),
    "set that is none, test": (
        f"{RULE}/cautions.toml",
        '^negative = "not-pregnant"',
        'negative = "unpregnant"',
        "test.hcg-test",
        "there is no value set 'unpregnant'",
    ),
    "words that are no pattern, allergies": (
        f"{RULE}/cautions.toml",
        "^use = .*",
        "use = ['(']",
        "allergies.use",
        "not a regular expression",
    ),
    "name that the eGFR has not": (
        f"{RULE}/cautions.toml",
        "^newest_egfr = .*",
        'newest_egfr = "{finding}"',
        "kidneys.newest_egfr",
        "finding",
    ),
    "unknown field": (f"{RULE}/rule.toml", "^owner = ", "colour = 'blue'\nowner = ", "", "'colour'"),
    "wrong type, threshold": (
        f"{RULE}/rule.toml",
        "^value = 84",
        'value = "84"',
        "threshold.new_window_days.value",
        "integer",
    ),
    "wrong type, aliases": (
        "code-systems.toml",
        r"^aliases = \[.*\]",
        'aliases = "x"',
        "system.0.aliases",
        "array",
    ),
    "empty text": (
        f"{RULE}/source-attributes.toml",
        "^funding = .*",
        'funding = ""',
        "funding",
        "non-empty",
    ),
    "no such day": (
        f"{RULE}/rule.toml",
        "^released = .*",
        'released = "2026-13-45"',
        "released",
        "2026-13-45",
    ),
    "first coding not LOINC": (
        f"{RULE}/orders.toml",
        '"http://loinc.org"',
        '"http://radlex.org"',
        "mri-cervical-spine.codings.0",
        LOINC,
    ),
    "unknown set, orders": (
        f"{RULE}/orders.toml",
        r'\["imaging-mri-cervical-spine"\]',
        '["imaging-mri-neck"]',
        "answered_by",
        "imaging-mri-neck",
    ),
    "unknown set, relevant orders": (
        f"{RULE}/rule.toml",
        '"analgesic-drug"',
        '"painkillers"',
        "orders.relevant",
        "painkillers",
    ),
    "unknown set, prefetch": (
        f"{RULE}/rule.toml",
        '"back-pain-sacral"',
        '"back-pain-tail"',
        "prefetch.observations",
        "back-pain-tail",
    ),
    "unknown set, text": (
        f"{RULE}/text-patterns.toml",
        '^id = "physical-therapy"',
        'id = "physio"',
        "concept",
        "physio",
    ),
    "unknown order, region": (
        f"{RULE}/rule.toml",
        '"mri-cervical-spine"',
        '"mri-neck"',
        "mri_of_region",
        "mri-neck",
    ),
    "unknown order, staging": (
        f"{RULE}/rule.toml",
        r'\["bone-scan-whole-body"',
        '["bone-scan"',
        "studies.staging",
        "bone-scan",
    ),
    "no order without contrast": (
        f"{RULE}/orders.toml",
        r"^\[mri-lumbar-spine-without-contrast\]",
        "[mri-lumbar-spine-plain]",
        "",
        "mri-lumbar-spine-without-contrast",
    ),
    "unknown guard": (
        f"{RULE}/text-patterns.toml",
        r"^\[guard\.resolved\]",
        "[guard.solved]",
        "guards",
        "'resolved'",
    ),
    "unknown guard scope": (
        f"{RULE}/text-patterns.toml",
        '^scope = "phrase"',
        'scope = "page"',
        "guard.",
        "'page'",
    ),
    "bad pattern": (
        f"{RULE}/text-patterns.toml",
        r"'\\bcervicalgia\\b'",
        "'(cervicalgia'",
        "(cervicalgia",
        "regular expression",
    ),
    "bad pattern, results": (
        "result-words.toml",
        r"'\\bnegative\\b'",
        "'(negative'",
        "negative_result",
        "regular expression",
    ),
    "words missing, results": (
        "result-words.toml",
        r"^\[equivocal\]",
        "[equivocals]",
        "",
        "'equivocal' is a required property",
    ),
    "words missing, that every rule reads": (
        f"{RULE}/text-patterns.toml",
        r"^\[flag\.course\]",
        "[flag.curse]",
        "flag.course",
        "code reads it",
    ),
    "words missing, that this rule reads": (
        f"{RULE}/text-patterns.toml",
        r"^\[flag\.her2-positive\]",
        "[flag.her2]",
        "flag.her2-positive",
        "code reads it",
    ),
    "words that nothing reads": (
        f"{RULE}/text-patterns.toml",
        r"^\[flag\.chronic\]",
        "[flag.weather]\npatterns = ['rain']\n\n[flag.chronic]",
        "flag.weather",
        "no code reads",
    ),
    "guard missing, that code reads": (
        f"{RULE}/text-patterns.toml",
        r"^\[guard\.takes-back-alone\]",
        "[guard.takes-back]",
        "guard.takes-back-alone",
        "code reads it",
    ),
    "concept missing, that code reads": (
        f"{RULE}/text-patterns.toml",
        r'^id = "pain-quality"',
        'id = "pain-qualities"',
        "concept.pain-quality",
        "code reads it",
    ),
    "unknown placeholder": (
        f"{RULE}/wording.toml",
        r'^staging = "- \{studies\} \(or',
        'staging = "- {tests} (or',
        "proposed.staging",
        "{tests} is not known here; it may use {studies}",
    ),
    "nameless placeholder": (
        f"{RULE}/wording.toml",
        r'^staging = "- \{studies\} \(or',
        'staging = "- {} (or',
        "proposed.staging",
        "{} is not known",
    ),
    "placeholder with attribute": (
        f"{RULE}/wording.toml",
        r'^staging = "- \{studies\} \(or',
        'staging = "- {studies.x} (or',
        "proposed.staging",
        "{studies.x}",
    ),
    "placeholder with format": (
        f"{RULE}/wording.toml",
        r'^staging = "- \{studies\} \(or',
        'staging = "- {studies: d} (or',
        "proposed.staging",
        "studies",
    ),
    "placeholder with conversion": (
        f"{RULE}/wording.toml",
        r'^staging = "- \{studies\} \(or',
        'staging = "- {studies!z} (or',
        "proposed.staging",
        "studies",
    ),
    "open brace": (
        f"{RULE}/wording.toml",
        r'^staging = "- \{studies\} \(or',
        'staging = "- {studies (or',
        "proposed.staging",
        "braces",
    ),
    "closing brace": (
        f"{RULE}/wording.toml",
        r'^staging = "- \{studies\} \(or',
        'staging = "- studies} (or',
        "proposed.staging",
        "braces",
    ),
    "sentence missing": (f"{RULE}/wording.toml", r"^staging = .*\n", "", "proposed.staging", "missing"),
    "summary too long for a card": (
        f"{RULE}/wording.toml",
        '^imaging = "',
        'imaging = "' + "Please note: " * 11,
        "summary.imaging",
        "139",
    ),
    # Decision 7.14.
    "too many words, emergency": (
        f"{RULE}/wording.toml",
        r"; post-void residual\.",
        "; post-void residual, and all that a neurologist would want to know of the legs.",
        "",
        "the card 'emergency' has 87 words beside its findings; 75 are allowed",
    ),
    "too many words, standard": (
        f"{RULE}/wording.toml",
        r"^lumbar = \"\*\*Evidence:\*\*",
        'lumbar = "**Evidence:** ' + "as is well known " * 3,
        "",
        "the card 'standard' has",
    ),
    "too many words, infection": (
        f"{RULE}/wording.toml",
        "Staging can wait",
        "Staging can wait" + " a while" * 20,
        "",
        "the card 'infection' has",
    ),
    "too many words, routine imaging": (
        f"{RULE}/wording.toml",
        '^surveillance = "- ',
        'surveillance = "- ' + "Please note: " * 30,
        "",
        "the card 'routine imaging' has",
    ),
    # Decision 7.10.
    "label too long for a button": (
        f"{RULE}/wording.toml",
        '^label = "Order:',
        'label = "Please order this study:',
        "suggestion.label",
        "80 are allowed",
    ),
    "sentence for the order missing": (f"{RULE}/cautions.toml", r"^on_order = .*\n", "", "caution.0", "'on_order'"),
    "unknown placeholder on an order": (
        f"{RULE}/wording.toml",
        r"^pain_since = .*\n",
        'pain_since = "{pain} since {onset}."\n',
        "question_on_order.pain_since",
        "{onset} is not known here",
    ),
    "override code twice": (
        f"{RULE}/override-reasons.toml",
        '"pain-not-new"',
        '"imaged-elsewhere"',
        "reason",
        "imaged-elsewhere",
    ),
}


@pytest.mark.parametrize(("file", "pattern", "replacement", "field", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_by_file_and_field(
    content_copy: Path, file: str, pattern: str, replacement: str, field: str, message: str
) -> None:
    replace_in(content_copy, file, pattern, replacement)
    error = refusal(content_copy)
    assert error.file == file
    assert field in error.field
    assert message in str(error)
