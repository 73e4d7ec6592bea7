"""The codes of the value sets: each in its place, with its check digit, and none lost unnoticed."""

from __future__ import annotations

import re

import pytest

from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from tests.renew_value_set_codes import changes, committed_entries, entries

CONTENT = load_content()
VALUE_SETS = CONTENT.terminology.value_sets

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
CPT = "http://www.ama-assn.org/go/cpt"


@pytest.mark.parametrize("set_id", VALUE_SETS)
def test_every_value_set_says_what_the_rule_does_with_it(set_id: str) -> None:
    role = VALUE_SETS[set_id].purpose.partition(": ")[0]
    assert role in {"match", "exclusion", "ambiguous", "supporting", "passed over"}


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


# A set of exclusions, and the beginnings of the names of the sets that must not hold any of its codes.
EXCLUSIONS = {
    "breast-cancer-exclusion": ("breast-cancer", "dx-"),
    "breast-cancer-family-history": ("breast-cancer", "dx-"),
    "metastasis-to-breast": ("breast-cancer", "dx-", "metastasis-"),
    "breast-cancer-in-situ": ("breast-cancer", "dx-"),
    "breast-cancer-ambiguous": ("breast-cancer", "dx-"),
    "back-pain-exclusion": ("back-pain-",),
    "back-pain-ambiguous": ("back-pain-",),
    "back-injury": ("back-pain-",),
    "pain-needing-spine-site": ("back-pain-",),
    "chronic-back-pain-cervical": ("back-pain-",),
    "chronic-back-pain-lumbar": ("back-pain-",),
    "chronic-back-pain-unspecified": ("back-pain-",),
    "chronic-pain-any-site": ("back-pain-",),
    "not-spine-site": ("spine-site-",),
    "symptom-absent-observation": ("symptom-observation", "complaint-observation"),
    "red-flag-exclusion": ("cord-", "sign-", "pathological-", "vertebral-", "systemic-", "spinal-"),
    "metastasis-exclusion": ("metastasis-",),
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


@pytest.mark.parametrize(("excluded", "rivals"), EXCLUSIONS.items(), ids=EXCLUSIONS)
def test_no_code_is_both_evidence_and_excluded(excluded: str, rivals: tuple[str, ...]) -> None:
    matching = {
        set_id
        for set_id, value_set in VALUE_SETS.items()
        if set_id.startswith(rivals) and value_set.purpose.startswith("match") and set_id != excluded
    }
    assert matching
    held = [(system, code) for system, code, _ in VALUE_SETS[excluded].concepts] + list(VALUE_SETS[excluded].categories)
    # `sets` also answers by category, so that C50 as a category holds whatever an exclusion lists below it.
    both = {code: sorted(CONTENT.terminology.value_sets_with(system, code) & matching) for system, code in held}
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


def test_every_snomed_id_has_a_right_check_digit_or_says_that_it_has_not() -> None:
    wrong = {code for code in all_codes(SNOMED) if not re.fullmatch(r"\d{6,18}", code) or not verhoeff_holds(code)}
    marked = {
        code
        for value_set in VALUE_SETS.values()
        for (system, code), why in value_set.unconfirmed.items()
        if system == SNOMED and "its check digit is wrong" in why
    }
    assert wrong == marked == {"16260631000119100"}


# Decision 11.2.
def test_every_loinc_code_has_a_right_check_digit() -> None:
    # Answers (LA...) are not LOINC terms; their last digit follows a rule of its own.
    codes = {code for code in all_codes(LOINC) if not code.startswith("LA")}
    assert not {code for code in codes if not re.fullmatch(r"\d+-\d", code) or not loinc_check_holds(code)}
