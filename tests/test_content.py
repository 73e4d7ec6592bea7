"""The clinical content: what `cards/` must hold, and that content with a mistake in it stops the start."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.servicerequest import ServiceRequest

from cds_service.advice.call import Call, OrderOptions
from cds_service.advice.detail import in_words
from cds_service.advice.service_request import service_request
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.rules.assessment import Outcome, ProposedOrder
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.card import summary
from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Note, Reason
from cds_service.clinical.rules.breast_cancer_back_pain.red_flags import RedFlags
from cds_service.clinical.rules.breast_cancer_back_pain.studies import wanted_studies
from cds_service.clinical.rules.cautions import RaisedCaution
from cds_service.content.error import ContentError
from cds_service.content.load import content_folder
from cds_service.content.model import Content
from tests.renew_value_set_codes import changes, committed_entries, entries

Json = dict[str, Any]
Edit = Callable[[Json], object]

CONTENT = load_content()
VALUE_SETS = CONTENT.terminology.value_sets

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
CPT = "http://www.ama-assn.org/go/cpt"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"

LONGEST_SUMMARY = 139

# A small set of one system, to be broken.
VICTIM = "value-sets/physical-therapy.json"


# --- Content that is broken on purpose, in a copy


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the content, free to be broken."""
    return Path(shutil.copytree(content_folder(), tmp_path / "cards"))


def replace_in(folder: Path, file: str, pattern: str, replacement: str) -> None:
    """Edit the first match in a TOML file; the pattern must be there."""
    path = folder / file
    text, count = re.subn(pattern, lambda _: replacement, path.read_text("utf-8"), count=1, flags=re.MULTILINE)
    assert count == 1, f"{file} no longer holds {pattern}"
    path.write_text(text, encoding="utf-8")


def edit_value_set(folder: Path, edit: Edit) -> None:
    path = folder / VICTIM
    data = json.loads(path.read_text(encoding="utf-8"))
    edit(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def refusal(folder: Path) -> ContentError:
    with pytest.raises(ContentError) as raised:
        load_content(folder)
    return raised.value


def test_an_untouched_copy_of_the_content_is_accepted(folder: Path) -> None:
    assert load_content(folder).digest == CONTENT.digest


@pytest.mark.parametrize("file", sorted(path.name for path in content_folder().glob("*.toml")))
def test_a_missing_file_is_named(folder: Path, file: str) -> None:
    (folder / file).unlink()
    assert str(refusal(folder)) == f"{file}: the file is missing"


def test_content_without_any_value_set_is_refused(folder: Path) -> None:
    shutil.rmtree(folder / "value-sets")
    assert refusal(folder).file == "value-sets"


@pytest.mark.parametrize("file", sorted(path.name for path in content_folder().glob("*.toml")))
def test_a_file_that_is_not_toml_is_named(folder: Path, file: str) -> None:
    with (folder / file).open("a", encoding="utf-8") as text:
        text.write("\nunfinished =\n")
    error = refusal(folder)
    assert error.file == file
    assert "not well-formed TOML" in str(error)


@pytest.mark.parametrize("file", ["breast_cancer_back_pain/rule.toml", VICTIM])
def test_a_file_that_is_not_utf8_is_named(folder: Path, file: str) -> None:
    (folder / file).write_bytes(b'"\xff"')
    assert refusal(folder).file == file


@pytest.mark.parametrize("file", ["breast_cancer_back_pain/rule.toml", VICTIM])
def test_a_file_that_cannot_be_read_is_named(folder: Path, file: str) -> None:
    (folder / file).unlink()
    (folder / file).mkdir()
    assert refusal(folder).file == file


# file, pattern, replacement, part of the field, part of the message
MISTAKES = {
    "field missing, rule": (
        "breast_cancer_back_pain/rule.toml",
        r"^owner = .*\n",
        "",
        "",
        "'owner' is a required property",
    ),
    "field missing, region": ("breast_cancer_back_pain/rule.toml", r"^sacral = .*\n", "", "mri_of_region", "'sacral'"),
    "field missing, evidence source": (
        "breast_cancer_back_pain/evidence.toml",
        r"^source = .*\n",
        "",
        "statement.0",
        "'source'",
    ),
    "field missing, source attribute": (
        "breast_cancer_back_pain/source-attributes.toml",
        r"^use_of_race = .*\n",
        "",
        "",
        "'use_of_race'",
    ),
    "field missing, override reason": (
        "breast_cancer_back_pain/override-reasons.toml",
        r"^display = .*\n",
        "",
        "reason.0",
        "'display'",
    ),
    "field missing, order label": (
        "breast_cancer_back_pain/orders.toml",
        r"^label = .*\n",
        "",
        "mri-cervical-spine",
        "'label'",
    ),
    "field missing, flag": (
        "breast_cancer_back_pain/text-patterns.toml",
        r"^\[flag\.changed\]",
        "[flag.change]",
        "flag",
        "'changed'",
    ),
    "field missing, code system name": ("code-systems.toml", r"^name = .*\n", "", "system.0", "'name'"),
    "unknown field": ("breast_cancer_back_pain/rule.toml", "^owner = ", "colour = 'blue'\nowner = ", "", "'colour'"),
    "wrong type, threshold": (
        "breast_cancer_back_pain/rule.toml",
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
    "wrong type, on_card": (
        "breast_cancer_back_pain/evidence.toml",
        "^on_card = .*",
        'on_card = "yes"',
        "statement.0.on_card",
        "boolean",
    ),
    "empty text": (
        "breast_cancer_back_pain/source-attributes.toml",
        "^funding = .*",
        'funding = ""',
        "funding",
        "non-empty",
    ),
    "no such day": (
        "breast_cancer_back_pain/rule.toml",
        "^released = .*",
        'released = "2026-13-45"',
        "released",
        "2026-13-45",
    ),
    "first coding not LOINC": (
        "breast_cancer_back_pain/orders.toml",
        '"http://loinc.org"',
        '"http://radlex.org"',
        "mri-cervical-spine.codings.0",
        LOINC,
    ),
    "unknown set, orders": (
        "breast_cancer_back_pain/orders.toml",
        r'\["imaging-mri-cervical-spine"\]',
        '["imaging-mri-neck"]',
        "answered_by",
        "imaging-mri-neck",
    ),
    "unknown set, relevant orders": (
        "breast_cancer_back_pain/rule.toml",
        '"analgesic-drug"',
        '"painkillers"',
        "orders.relevant",
        "painkillers",
    ),
    "unknown set, prefetch": (
        "breast_cancer_back_pain/rule.toml",
        '"back-pain-sacral"',
        '"back-pain-tail"',
        "prefetch.observations",
        "back-pain-tail",
    ),
    "unknown set, text": (
        "breast_cancer_back_pain/text-patterns.toml",
        '^id = "physical-therapy"',
        'id = "physio"',
        "concept",
        "physio",
    ),
    "unknown order, region": (
        "breast_cancer_back_pain/rule.toml",
        '"mri-cervical-spine"',
        '"mri-neck"',
        "mri_of_region",
        "mri-neck",
    ),
    "unknown order, staging": (
        "breast_cancer_back_pain/rule.toml",
        r'\["bone-scan-whole-body"',
        '["bone-scan"',
        "studies.staging",
        "bone-scan",
    ),
    "no order without contrast": (
        "breast_cancer_back_pain/orders.toml",
        r"^\[mri-lumbar-spine-without-contrast\]",
        "[mri-lumbar-spine-plain]",
        "",
        "mri-lumbar-spine-without-contrast",
    ),
    "unknown guard": (
        "breast_cancer_back_pain/text-patterns.toml",
        r"^\[guard\.resolved\]",
        "[guard.solved]",
        "guards",
        "'resolved'",
    ),
    "unknown guard scope": (
        "breast_cancer_back_pain/text-patterns.toml",
        '^scope = "phrase"',
        'scope = "page"',
        "guard.",
        "'page'",
    ),
    "bad pattern": (
        "breast_cancer_back_pain/text-patterns.toml",
        r"'\\bcervicalgia\\b'",
        "'(cervicalgia'",
        "(cervicalgia",
        "regular expression",
    ),
    "unknown placeholder": (
        "breast_cancer_back_pain/wording.toml",
        r"- \{studies\} to",
        "- {tests} to",
        "proposed.staging",
        "{tests} is not known here; it may use {studies}",
    ),
    "nameless placeholder": (
        "breast_cancer_back_pain/wording.toml",
        r"- \{studies\} to",
        "- {} to",
        "proposed.staging",
        "{} is not known",
    ),
    "placeholder with attribute": (
        "breast_cancer_back_pain/wording.toml",
        r"- \{studies\} to",
        "- {studies.x} to",
        "proposed.staging",
        "{studies.x}",
    ),
    "placeholder with format": (
        "breast_cancer_back_pain/wording.toml",
        r"- \{studies\} to",
        "- {studies: d} to",
        "proposed.staging",
        "studies",
    ),
    "placeholder with conversion": (
        "breast_cancer_back_pain/wording.toml",
        r"- \{studies\} to",
        "- {studies!z} to",
        "proposed.staging",
        "studies",
    ),
    "open brace": (
        "breast_cancer_back_pain/wording.toml",
        r"- \{studies\} to",
        "- {studies to",
        "proposed.staging",
        "braces",
    ),
    "closing brace": (
        "breast_cancer_back_pain/wording.toml",
        r"- \{studies\} to",
        "- studies} to",
        "proposed.staging",
        "braces",
    ),
    "sentence missing": ("breast_cancer_back_pain/wording.toml", r"^staging = .*\n", "", "proposed.staging", "missing"),
    "summary too long for a card": (
        "breast_cancer_back_pain/wording.toml",
        '^imaging = "',
        'imaging = "' + "Please note: " * 11,
        "summary.imaging",
        "139",
    ),
    "override code twice": (
        "breast_cancer_back_pain/override-reasons.toml",
        '"pain-not-new"',
        '"imaged-elsewhere"',
        "reason",
        "imaged-elsewhere",
    ),
}


@pytest.mark.parametrize(("file", "pattern", "replacement", "field", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_by_file_and_field(
    folder: Path, file: str, pattern: str, replacement: str, field: str, message: str
) -> None:
    replace_in(folder, file, pattern, replacement)
    error = refusal(folder)
    assert error.file == file
    assert field in error.field
    assert message in str(error)


def first_include(data: Json) -> Json:
    include: Json = data["compose"]["include"][0]
    return include


def category(data: Json, system: str, value: str, op: str = "is-a") -> None:
    filters = [{"property": "concept", "op": op, "value": value}]
    data["compose"]["include"].append({"system": system, "filter": filters})


# edit, part of the field
VALUE_SET_MISTAKES: dict[str, tuple[Edit, str]] = {
    "another resource": (lambda data: data.update(resourceType="Patient"), "resource"),
    "element that FHIR does not know": (lambda data: data.update(colour="blue"), "colour"),
    "concept without code": (lambda data: first_include(data)["concept"][0].pop("code"), "concept.0.code"),
    "id of another file": (lambda data: data.update(id="another"), "id"),
    "no purpose": (lambda data: data.pop("purpose"), "purpose"),
    "no copyright": (lambda data: data.pop("copyright"), "copyright"),
    "no version": (lambda data: data.pop("version"), "version"),
    "no compose": (lambda data: data.pop("compose"), "compose"),
    "no system": (lambda data: first_include(data).pop("system"), "compose.include.0.system"),
    "nothing included": (lambda data: data["compose"].update(include=[]), "compose.include"),
    "system that the service does not read": (
        lambda data: first_include(data).update(system=f"{SNOMED}/"),
        "compose.include.0.system",
    ),
    "include without codes": (lambda data: first_include(data).pop("concept"), "compose.include.0"),
    "codes taken away again": (
        lambda data: data["compose"].update(exclude=[{"system": SNOMED}]),
        "compose.exclude",
    ),
    "filter of another kind": (lambda data: category(data, ICD_10_CM, "C50", "regex"), "filter"),
    "category outside ICD": (lambda data: category(data, SNOMED, "254837009"), "filter"),
    "category too short to match": (lambda data: category(data, ICD_10_CM, "C5"), "filter"),
}


@pytest.mark.parametrize(("edit", "field"), VALUE_SET_MISTAKES.values(), ids=VALUE_SET_MISTAKES)
def test_a_value_set_that_would_not_be_read_as_it_is_written_is_refused(folder: Path, edit: Edit, field: str) -> None:
    edit_value_set(folder, edit)
    error = refusal(folder)
    assert error.file == VICTIM
    assert field in error.field


def test_a_value_set_that_is_not_json_is_refused(folder: Path) -> None:
    (folder / VICTIM).write_text("{", encoding="utf-8")
    error = refusal(folder)
    assert error.file == VICTIM
    assert "not well-formed JSON" in str(error)


def test_every_edit_of_the_content_gives_it_another_version(folder: Path) -> None:
    replace_in(folder, "breast_cancer_back_pain/wording.toml", "new neck pain", "new pain in the neck")
    assert load_content(folder).version != CONTENT.version


# --- Orders


@pytest.mark.parametrize("slug", CONTENT.orders)
def test_every_order_is_coded_in_loinc_first(slug: str) -> None:
    assert CONTENT.orders[slug].codings[0]["system"] == LOINC


def a_call() -> Call:
    return Call(
        service_id="breast-cancer-back-pain-patient-view",
        client="anonymous",
        now=datetime(2026, 11, 22, 12, tzinfo=UTC),
        hook_instance="5b0f2c1e-8d0a-4c1b-9a53-0e6f0a4d7c11",
        patient_id="patient-1",
        user_id="Practitioner/dr-rivera",
        encounter_id="visit-1",
    )


@pytest.mark.parametrize("slug", CONTENT.orders)
def test_every_order_becomes_a_valid_service_request(slug: str) -> None:
    resource = service_request(CONTENT.orders[slug], "urgent", [], a_call(), OrderOptions())
    request = ServiceRequest.model_validate(resource)
    assert (request.status, request.intent) == ("draft", "proposal")
    assert resource["code"]["text"] == CONTENT.orders[slug].label


@pytest.mark.parametrize("slug", CONTENT.orders)
def test_every_order_is_answered_by_a_draft_of_itself(slug: str) -> None:
    coding = CONTENT.orders[slug].codings[0]
    present = CONTENT.terminology.sets(coding["system"], coding["code"])
    assert any(combination <= present for combination in CONTENT.orders[slug].answered_by)


# No caution, and each caution alone.
CAUTIONED = [(), *((RaisedCaution(item, Finding("", "")),) for item in CONTENT.cautions.cautions)]


@pytest.mark.parametrize("raised", CAUTIONED[1:], ids=lambda raised: raised[0].caution.id)
def test_no_caution_drops_the_mri_or_leaves_contrast_where_it_forbids_it(raised: tuple[RaisedCaution, ...]) -> None:
    wanted = wanted_studies("several", CONTENT, RuleOptions(), raised, brain=True)
    assert wanted[0].startswith("mri-whole-spine")
    for slug in wanted:
        modality = CONTENT.orders[slug].modality
        assert modality not in raised[0].caution.withdraws
        if modality in raised[0].caution.without_contrast:
            assert slug.endswith("-without-contrast")


@pytest.mark.parametrize("region", ["cervical", "thoracic", "lumbar", "sacral", "several", "unspecified"])
@pytest.mark.parametrize("region_unspecified", ["whole-spine", "spine"])
def test_every_study_that_the_rule_can_want_is_an_order(region: str, region_unspecified: str) -> None:
    options = options_for(region_unspecified)
    wanted = {slug for raised in CAUTIONED for slug in wanted_studies(region, CONTENT, options, raised, brain=True)}
    assert wanted <= CONTENT.orders.keys()


# --- Words


def options_for(region_unspecified: str) -> RuleOptions:
    return RuleOptions(region_unspecified="spine" if region_unspecified == "spine" else "whole-spine")


def subsets(studies: Iterable[str]) -> list[tuple[str, ...]]:
    """What may be left to propose of `studies` when others are drafted already."""
    listed = tuple(studies)
    return [some for size in range(1, len(listed) + 1) for some in combinations(listed, size)]


def summaries(region: str, notes: frozenset[Note], content: Content) -> list[str]:
    """Every summary that a card for pain of this region can have."""
    proposals = {
        studies
        for setting in ("whole-spine", "spine")
        for raised in CAUTIONED
        for studies in subsets(wanted_studies(region, content, options_for(setting), raised, brain=True))
    }
    metastases = RedFlags(bone_metastasis=(Finding("", ""),))
    imaging = [
        Assessment(
            outcome=Outcome.FIRED,
            reason=Reason.IMAGING_ADVISED,
            criteria=(),
            orders=tuple(ProposedOrder(slug, "urgent") for slug in studies),
            region=region,
            notes=notes,
            critical=critical,
            flags=flags,
        )
        for studies in proposals
        for critical in (False, True)
        for flags in (RedFlags(), metastases)
    ]
    others = [
        Assessment(outcome=Outcome.FIRED, reason=reason, criteria=(), region=region, notes=notes)
        for reason in (Reason.IN_SITU_ONLY, Reason.CHILD, Reason.NO_SYMPTOMS)
    ]
    return [in_words(summary(found, content), content.wording, date(2026, 11, 22)) for found in (*imaging, *others)]


@pytest.mark.parametrize("region", ["cervical", "thoracic", "lumbar", "sacral", "several", "unspecified"])
@pytest.mark.parametrize("notes", [frozenset(), frozenset({Note.ONSET_NOT_RECORDED})], ids=["dated", "undated"])
def test_every_summary_fits_into_a_card(region: str, notes: frozenset[Note]) -> None:
    too_long = {text: len(text) for text in summaries(region, notes, CONTENT) if len(text) > LONGEST_SUMMARY}
    assert not too_long


def test_override_reasons_have_codes_of_their_own() -> None:
    codes = [reason.code for reason in CONTENT.override_reasons]
    assert len(codes) == len(set(codes))


def test_the_thirteen_source_attributes_are_stated() -> None:
    assert CONTENT.source_attributes.keys() == {
        "citation",
        "developer",
        "funding",
        "release_and_revision_dates",
        "use_of_race",
        "use_of_ethnicity",
        "use_of_language",
        "use_of_sexual_orientation",
        "use_of_gender_identity",
        "use_of_sex",
        "use_of_date_of_birth",
        "use_of_social_determinants_of_health",
        "use_of_health_status_assessments",
    }
    assert all(text.strip() for text in CONTENT.source_attributes.values())


def test_every_statement_of_evidence_has_an_id_of_its_own_and_a_source() -> None:
    ids = [statement.id for statement in CONTENT.evidence]
    assert len(ids) == len(set(ids))
    assert all(statement.source.strip() and statement.cite.strip() for statement in CONTENT.evidence)


# --- Value sets


@pytest.mark.parametrize("set_id", VALUE_SETS)
def test_every_value_set_says_what_the_rule_does_with_it(set_id: str) -> None:
    assert VALUE_SETS[set_id].purpose.partition(": ")[0] in {"match", "trap", "ambiguous", "supporting", "passed over"}


# Decision 11.2.
def test_no_code_vanishes_or_appears_unnoticed() -> None:
    differences = changes(committed_entries(), entries())
    assert not differences, "\n".join(differences)


def test_a_changed_value_set_is_named_with_the_way_to_renew_the_record() -> None:
    fewer = dict(entries())
    fewer["back-pain-lumbar"] = {"codes": 1, "sha256": "0"}
    (sentence,) = changes(entries(), fewer)
    assert "'back-pain-lumbar'" in sentence
    assert "python -m tests.renew_value_set_codes" in sentence


# A trap set, and the beginnings of the names of the sets that must not hold any of its codes.
TRAPS = {
    "breast-cancer-trap": ("breast-cancer", "dx-"),
    "breast-cancer-in-situ": ("breast-cancer", "dx-"),
    "breast-cancer-ambiguous": ("breast-cancer", "dx-"),
    "back-pain-trap": ("back-pain-",),
    "back-pain-ambiguous": ("back-pain-",),
    "back-injury": ("back-pain-",),
    "pain-needing-spine-site": ("back-pain-",),
    "chronic-back-pain-cervical": ("back-pain-",),
    "chronic-back-pain-lumbar": ("back-pain-",),
    "chronic-back-pain-unspecified": ("back-pain-",),
    "chronic-pain-any-site": ("back-pain-",),
    "not-spine-site": ("spine-site-",),
    "symptom-absent-observation": ("symptom-observation", "complaint-observation"),
    "red-flag-trap": ("cord-", "sign-", "pathological-", "vertebral-", "systemic-", "spinal-"),
    "metastasis-trap": ("metastasis-",),
    "imaging-spine-ct": ("imaging-",),
    "imaging-spine-radiograph": ("imaging-",),
    "imaging-bone-scan-limited": ("imaging-bone-scan-", "imaging-pet-"),
    "mri-device-removed": ("mri-device",),
    "palliative-care": ("hospice",),
    "no-known-allergy": ("contrast-allergy-",),
    "not-pregnant": ("pregnant", "possibly-pregnant"),
    "result-negative": ("result-positive",),
    "dx-er-negative": ("dx-er-positive",),
    "dx-pr-negative": ("dx-pr-positive",),
    "dx-her2-negative": ("dx-her2-positive",),
    "dx-hormone-receptor-negative": ("dx-hormone-receptor-positive",),
    "dx-triple-negative": ("dx-her2-positive", "dx-hormone-receptor-positive"),
}


@pytest.mark.parametrize(("trap", "rivals"), TRAPS.items(), ids=TRAPS)
def test_no_code_is_both_evidence_and_its_trap(trap: str, rivals: tuple[str, ...]) -> None:
    matching = {
        set_id
        for set_id, value_set in VALUE_SETS.items()
        if set_id.startswith(rivals) and value_set.purpose.startswith("match") and set_id != trap
    }
    assert matching
    held = [(system, code) for system, code, _ in VALUE_SETS[trap].concepts] + list(VALUE_SETS[trap].categories)
    # `sets` also answers by category, so that C50 as a category holds whatever a trap lists below it.
    both = {code: sorted(CONTENT.terminology.sets(system, code) & matching) for system, code in held}
    assert not {code: rivals for code, rivals in both.items() if rivals}


def test_every_concept_says_the_same_wherever_it_stands() -> None:
    displays: dict[tuple[str, str], set[str]] = {}
    for value_set in VALUE_SETS.values():
        for system, code, display in value_set.concepts:
            displays.setdefault((system, code), set()).add(display)
    assert not {key: texts for key, texts in displays.items() if len(texts) > 1}


def all_codes(system: str) -> set[str]:
    """Every code of one system in value sets and orders."""
    codings = [coding for order in CONTENT.orders.values() for coding in (*order.codings, order.body_site or {})]
    return {
        *(code for value_set in VALUE_SETS.values() for uri, code, _ in value_set.concepts if uri == system),
        *(coding["code"] for coding in codings if coding.get("system") == system),
    }


def test_cpt_stands_as_numbers_only() -> None:
    assert all(re.fullmatch(r"\d{5}", code) for code in all_codes(CPT))
    assert not {CONTENT.terminology.display(CPT, code) for code in all_codes(CPT)} - {""}
    # Orders must have a display with each code, so none of them may be CPT.
    assert not any(coding["system"] == CPT for order in CONTENT.orders.values() for coding in order.codings)


# Multiplication in the dihedral group of order ten, which the Verhoeff check uses in the place of a sum.
_VERHOEFF_PERMUTATION = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _dihedral(left: int, right: int) -> int:
    if left < 5:
        return (left + right) % 5 + (0 if right < 5 else 5)
    return (left - right) % 5 + (5 if right < 5 else 0)


def verhoeff_holds(number: str) -> bool:
    """Whether the last digit of a SNOMED CT id is the check digit of the others."""
    check = 0
    for position, digit in enumerate(reversed(number)):
        value = int(digit)
        for _ in range(position % 8):
            value = _VERHOEFF_PERMUTATION[value]
        check = _dihedral(check, value)
    return check == 0


def loinc_check_holds(code: str) -> bool:
    """Whether the digit after the hyphen of a LOINC code is the mod-10 check digit of those before."""
    body, _, last = code.partition("-")
    doubled = [int(digit) * (2 if position % 2 == 0 else 1) for position, digit in enumerate(reversed(body))]
    return sum(value // 10 + value % 10 for value in doubled + [int(last)]) % 10 == 0


def test_the_check_digits_tell_a_slip_of_the_pen() -> None:
    assert verhoeff_holds("254837009")
    assert not verhoeff_holds("254837090")
    assert loinc_check_holds("24967-2")
    assert not loinc_check_holds("29467-2")


def test_every_snomed_id_has_a_right_check_digit() -> None:
    assert not {code for code in all_codes(SNOMED) if not re.fullmatch(r"\d{6,18}", code) or not verhoeff_holds(code)}


# Decision 11.2.
def test_every_loinc_code_has_a_right_check_digit() -> None:
    # Answers (LA...) are not LOINC terms; their last digit follows a rule of its own.
    codes = {code for code in all_codes(LOINC) if not code.startswith("LA")}
    assert not {code for code in codes if not re.fullmatch(r"\d+-\d", code) or not loinc_check_holds(code)}
