"""Implants: what is to be checked before the MRI, by code, by word and under the prefetch key `devices`."""

from __future__ import annotations

import pytest

from tests.builders import Json, bundle, condition, created, day, device, outcome, section, study
from tests.cautioned import card_beside, egfr, not_checked, raised, visit_diagnosis

PACEMAKER, PACEMAKER_REMOVAL = "snomed 441509002", "snomed 62881002"


# Decision 4.8.
@pytest.mark.parametrize(
    "shown",
    [
        condition(PACEMAKER, onset=day(900)),
        condition("icd10cm Z95.0"),
        condition("icd10cm Z96.21"),
        condition("icd10cm Z96.82"),
        condition(text="Cardiac pacemaker"),
        study("Procedure", "snomed 359612003", when=day(900)),
        study("Procedure", "snomed 230898002", when=day(4000)),
        study("Procedure", "local 8", text="Insertion of spinal cord stimulator", when=day(900)),
        device("snomed 14106009"),
        device("snomed 25937001"),
        device(deviceName=[{"name": "Cochlear implant", "type": "user-friendly-name"}]),
    ],
    ids=[
        "finding",
        "pacemaker status",
        "cochlear status",
        "neurostimulator status",
        "text",
        "cochlear procedure",
        "aneurysm clip",
        "procedure in words",
        "device",
        "neurostimulator device",
        "device by name",
    ],
)
def test_an_implant_is_named_beside_the_mri_which_is_never_dropped(shown: Json) -> None:
    card = card_beside(shown)
    said = section(card, "Caution")
    assert said.startswith("- MRI: ") and "check first whether it is MR conditional; else CT spine." in said
    assert [order["code"]["coding"][0]["code"] for order in created(card)] == [
        "24967-2",
        "39818-0",
        "72254-6",
    ]


@pytest.mark.parametrize(
    "gone",
    [
        device("snomed 14106009", status="inactive"),
        device("snomed 14106009", status="entered-in-error"),
        study("Procedure", "snomed 359612003", when=day(900), status="not-done"),
        condition(PACEMAKER, clinical="resolved"),
        condition(PACEMAKER, verification="refuted"),
        condition("snomed 275531008"),
        condition(text="Pacemaker removed 2019"),
        condition(text="no pacemaker"),
    ],
    ids=[
        "inactive",
        "entered in error",
        "not done",
        "resolved",
        "refuted",
        "history",
        "text removed",
        "text denied",
    ],
)
def test_an_implant_that_is_not_in_place_is_not_named(gone: Json) -> None:
    assert "mri-device" not in raised(gone)


@pytest.mark.parametrize(
    ("placed", "removed", "named"),
    [
        (day(900), day(100), False),
        (day(100), day(900), True),
        (day(900), None, True),
        (None, day(100), False),
        (None, None, False),
    ],
    ids=["removed later", "removed earlier", "removal undated", "placing undated", "both undated"],
)
def test_a_removal_takes_a_pacemaker_back_unless_it_was_certainly_earlier(
    placed: str | None, removed: str | None, named: bool
) -> None:
    found = raised(condition(PACEMAKER, onset=placed), study("Procedure", PACEMAKER_REMOVAL, when=removed))
    assert ("mri-device" in found) is named


# Decision 4.8.
@pytest.mark.parametrize(
    "other",
    [condition("icd10cm Z96.21", onset=day(4000)), study("Procedure", "snomed 230898002", when=day(4000))],
    ids=["cochlear implant", "aneurysm clip"],
)
def test_the_removal_of_a_pacemaker_takes_no_other_implant_back(other: Json) -> None:
    assert "mri-device" in raised(other, study("Procedure", PACEMAKER_REMOVAL, when=day(100)))


# Decision 4.8.
@pytest.mark.parametrize(
    "shown",
    [
        condition(text="Breast tissue expander in situ"),
        device(text="Tissue expander"),
        study("Procedure", "local 9", text="Placement of tissue expander, left breast", when=day(200)),
    ],
    ids=["condition", "device", "procedure"],
)
def test_a_tissue_expander_is_named_as_often_mr_unsafe(shown: Json) -> None:
    card = card_beside(shown)
    assert section(card, "Caution").startswith("- MRI: Breast tissue expander")
    assert "often MR unsafe, check the model first; else CT spine." in section(card, "Caution")
    assert created(card)[0]["code"]["coding"][0]["code"] == "24967-2"


@pytest.mark.parametrize(
    "gone",
    [
        [study("Procedure", text="Removal of tissue expander", when=day(100))],
        [condition(text="Tissue expander exchanged for implant")],
        [condition(text="Tissue expander, removed 2019")],
        [
            study("Procedure", text="Placement of tissue expander", when=day(400)),
            study("Procedure", text="Removal of tissue expander", when=day(100)),
        ],
    ],
    ids=["removal", "exchanged", "removed after a comma", "placed, then removed"],
)
def test_a_tissue_expander_that_was_removed_is_not_named(gone: list[Json]) -> None:
    assert "tissue-expander" not in raised(*gone)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("icd10cm Z18.10", "screen before MRI"),
        ("snomed 69805005", "remove before the scan"),
        ("snomed 19887002", "plan support"),
    ],
    ids=["metal", "insulin pump", "claustrophobia"],
)
def test_other_hindrances_are_one_sentence(code: str, words: str) -> None:
    card = card_beside(condition(code, onset=day(900)))
    (said,) = section(card, "Caution").splitlines()
    assert said.startswith("- MRI: ") and words in said
    assert len(created(card)) == 3


# --- By code, word and prefetch key


# Decision 4.8.
@pytest.mark.parametrize(
    "code",
    ["Z45.010", "Z45.018", "Z45.02", "Z45.09", "Z95.0", "Z95.810", "Z95.811", "Z95.812", "Z95.818", "Z96.21", "Z45.42"],
)
def test_every_code_of_an_implant_is_named_also_at_a_visit(code: str) -> None:
    assert raised(condition(f"icd10cm {code}", recorded=day(900))) == ["mri-device"]
    assert raised(visit_diagnosis(f"icd10cm {code}", 400)) == ["mri-device"]


@pytest.mark.parametrize("code", ["Z95.1", "Z95.2", "Z95.3", "Z95.4", "Z95.5", "Z98.82", "Z96.641", "Z95.820"])
def test_a_bypass_valve_stent_or_joint_is_no_such_implant(code: str) -> None:
    assert raised(condition(f"icd10cm {code}", recorded=day(900))) == []


# Decision 4.8.
@pytest.mark.parametrize(
    "text",
    [
        "S/P PPM 2018",
        "Pacemaker",
        "AICD in place",
        "ICD implant 2019",
        "ICD (defibrillator)",
        "Aneurysm clip, right MCA",
        "S/P cerebral aneurysm clipping 1998",
        "Cochlear implant, left",
        "Spinal cord stimulator",
        "Neurostimulator",
        "Intrathecal drug pump",
    ],
)
def test_an_implant_is_read_in_words(text: str) -> None:
    assert raised(condition(text=text, recorded=day(900))) == ["mri-device"]


@pytest.mark.parametrize(
    "text",
    [
        "Hypertension (ICD-10 I10)",
        "ICD 10 coding query",
        "ICD",
        "Cerebral aneurysm, unruptured",
        "Needs pacemaker evaluation",
        "No pacemaker",
        "Father has a pacemaker",
        "Dental implant",
        "Breast implant",
        "Breast pump",
    ],
)
def test_words_that_name_no_such_implant_raise_nothing(text: str) -> None:
    assert raised(condition(text=text, recorded=day(900))) == []


# Decision 4.8.
@pytest.mark.parametrize(
    ("others", "named"),
    [
        ([], True),
        ([study("Procedure", "cpt 11970", when=day(100))], False),
        ([study("Procedure", "cpt 11971", when=day(100))], False),
        ([study("Procedure", "cpt 19342", when=day(100))], False),
        ([study("Procedure", "cpt 11970", when=day(300))], True),
        ([study("Procedure", "cpt 11970", when=day(100), status="not-done")], True),
        ([study("Procedure", text="Tissue expander exchange for implant", when=day(100))], False),
    ],
    ids=["placed", "replaced", "removed", "implant later", "replaced before", "not done", "in words"],
)
def test_a_tissue_expander_is_known_by_its_billing_code_until_it_is_replaced(others: list[Json], named: bool) -> None:
    found = raised(study("Procedure", "cpt 19357", when=day(200)), *others)
    assert ("tissue-expander" in found) is named


# Decision 4.8.
@pytest.mark.parametrize(
    ("found", "named"),
    [
        (device("snomed 14106009"), True),
        (device("snomed 43252007"), True),
        (device(text="Spinal cord stimulator"), True),
        (device("snomed 14106009", status="inactive"), False),
        (device("snomed 14106009", status="entered-in-error"), False),
        (device(text="Glucometer"), False),
        (device("snomed 14106009") | {"patient": {"reference": "Patient/another"}}, False),
    ],
    ids=["pacemaker", "cochlear", "in words", "inactive", "in error", "another device", "another patient"],
)
def test_implants_are_read_under_a_key_of_their_own(found: Json, named: bool) -> None:
    assert ("mri-device" in raised(replaced={"devices": bundle(found)})) is named


def test_a_removal_among_the_procedures_takes_a_device_of_the_other_key_back() -> None:
    removal = study("Procedure", PACEMAKER_REMOVAL, when=day(100))
    assert raised(removal, replaced={"devices": bundle(device("snomed 14106009"))}) == []


def test_the_key_of_devices_may_be_missing_without_a_word() -> None:
    assert "devices" not in not_checked(egfr(80))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (outcome(), "not supplied: implanted devices"),
        (bundle(device(text="Glucometer"), next_page=True), "only in part"),
    ],
    ids=["error", "first page"],
)
def test_devices_that_came_in_part_are_named(value: Json, words: str) -> None:
    assert words in not_checked(egfr(80), replaced={"devices": value}).lower()
