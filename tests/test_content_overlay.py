"""An overlay holds only what differs from the content; what it says and cannot mean is refused by its own file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from tests.content_copies import RULE, replace_in
from tests.overlays import (
    CHANGED_SENTENCE,
    COPYRIGHT,
    NEW_CODE,
    RULE_FILE,
    SENTENCE,
    SNOMED,
    WORDING,
    changed_number,
    listed,
    only_problem,
    problems,
    read,
    usable,
    write,
    write_codes,
)

BASE = load_content()


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    folder = tmp_path / "overlay"
    folder.mkdir()
    return folder


# --- What an overlay can change


def test_without_an_overlay_or_with_an_empty_one_the_content_is_the_same(overlay: Path) -> None:
    assert usable(overlay).digest == usable().digest == BASE.digest


def test_a_sentence_takes_the_place_of_one_and_the_others_stay(overlay: Path) -> None:
    content = usable(write(overlay, WORDING, CHANGED_SENTENCE))
    assert content.wording["summary"]["imaging"] == SENTENCE
    assert content.wording["summary"]["critical"] == BASE.wording["summary"]["critical"]
    assert content.version != BASE.version and content.rule.version == BASE.rule.version


def test_a_number_takes_the_place_of_one_with_its_own_reason(overlay: Path) -> None:
    content = usable(write(overlay, RULE_FILE, changed_number(56)))
    assert content.rule.thresholds == {**BASE.rule.thresholds, "new_window_days": 56}
    assert content.rule.threshold_reasons["new_window_days"].source == "Spine board of the site"


def test_codes_are_added_to_a_value_set_and_taken_out_of_it(overlay: Path) -> None:
    write_codes(
        overlay,
        "back-pain-lumbar",
        include=listed(NEW_CODE),
        exclude=listed({"code": "279039007"}),
        copyright=COPYRIGHT,
    )
    terminology = usable(overlay).terminology
    assert "back-pain-lumbar" in terminology.value_sets_with(SNOMED, NEW_CODE["code"])
    assert "back-pain-lumbar" not in terminology.value_sets_with(SNOMED, "279039007")
    assert "back-pain-lumbar" in terminology.value_sets_with("http://hl7.org/fhir/sid/icd-10-cm", "M54.50")
    assert terminology.value_sets["back-pain-lumbar"].copyright.endswith(COPYRIGHT)


def test_words_are_added_to_a_list_and_taken_out_of_it(overlay: Path) -> None:
    write(overlay, f"{RULE}/text-patterns.toml", "[flag.course]\npatterns = { add = ['for ages'] }\n")
    content = usable(overlay)
    assert content.text_patterns.flags["course"].patterns == (*BASE.text_patterns.flags["course"].patterns, "for ages")


def test_a_text_pattern_of_one_concept_is_added(overlay: Path) -> None:
    names = [concept.id for concept in BASE.text_patterns.concepts]
    place = next(place for place, name in enumerate(names) if names.count(name) == 1)
    first = BASE.text_patterns.concepts[place]
    text = f"[[concept]]\nid = \"{first.id}\"\npatterns = {{ add = ['made up words'] }}\n"
    content = usable(write(overlay, f"{RULE}/text-patterns.toml", text))
    assert content.text_patterns.concepts[place].patterns == (*first.patterns, "made up words")
    assert content.text_patterns.concepts[place + 1 :] == BASE.text_patterns.concepts[place + 1 :]


def test_where_a_concept_stands_several_times_one_more_is_added(overlay: Path) -> None:
    names = [concept.id for concept in BASE.text_patterns.concepts]
    twice = next(name for name in names if names.count(name) > 1)
    text = f"[[concept]]\nid = \"{twice}\"\npatterns = ['made up words']\nguards = []\n"
    assert "add = true" in only_problem(write(overlay, f"{RULE}/text-patterns.toml", text))
    content = usable(write(overlay, f"{RULE}/text-patterns.toml", f"{text}add = true\n"))
    assert content.text_patterns.concepts[:-1] == BASE.text_patterns.concepts
    assert content.text_patterns.concepts[-1].patterns == ("made up words",)


def test_an_override_reason_is_changed_added_and_removed(overlay: Path) -> None:
    codes = [reason.code for reason in BASE.override_reasons]
    text = (
        f'[[reason]]\ncode = "{codes[0]}"\ndisplay = "Imaged already"\n'
        '[[reason]]\nadd = true\ncode = "seen-by-oncology"\ndisplay = "Oncology takes care of it"\n'
        f'[[reason]]\nremove = true\ncode = "{codes[1]}"\n'
    )
    reasons = usable(write(overlay, f"{RULE}/override-reasons.toml", text)).override_reasons
    assert [reason.code for reason in reasons] == [codes[0], *codes[2:], "seen-by-oncology"]
    assert reasons[0].display == "Imaged already" and reasons[0].days == BASE.override_reasons[0].days


def test_a_local_name_of_a_code_system_is_added(overlay: Path) -> None:
    text = f'[[system]]\nuri = "{SNOMED}"\naliases = {{ add = ["urn:oid:1.2.3.4.5"] }}\n'
    assert usable(write(overlay, "code-systems.toml", text)).terminology.knows_system("urn:oid:1.2.3.4.5")


def test_a_value_set_that_the_content_has_not_is_one_file_and_named_where_it_is_read(overlay: Path) -> None:
    whole = json.loads((Path("cards/value-sets/claustrophobia.json")).read_text("utf-8"))
    whole |= {"id": "site-claustrophobia", "url": "https://site.example.org/fhir/ValueSet/site-claustrophobia"}
    whole["compose"]["include"] = listed(NEW_CODE)
    write(overlay, "value-sets/site-claustrophobia.json", json.dumps(whole))
    assert "no rule reads this value set" in only_problem(overlay)
    caution = '[[caution]]\nid = "claustrophobia"\nsets = { add = ["site-claustrophobia"] }\n'
    content = usable(write(overlay, f"{RULE}/cautions.toml", caution))
    assert "site-claustrophobia" in content.value_sets_read


def test_a_later_overlay_lies_over_an_earlier_one(overlay: Path, tmp_path: Path) -> None:
    write(overlay, WORDING, CHANGED_SENTENCE)
    write(overlay, RULE_FILE, changed_number(56))
    client = write(tmp_path / "client", RULE_FILE, changed_number(42))
    content = usable(overlay, client)
    assert (content.rule.thresholds["new_window_days"], content.wording["summary"]["imaging"]) == (42, SENTENCE)
    assert len({content.digest, usable(overlay).digest, usable(client).digest, BASE.digest}) == 4
    value = read(overlay, client).replaced[f"{RULE_FILE}: threshold.new_window_days.value"]
    assert value == 84, "what the content has, not the overlay below"


def test_every_edit_of_an_overlay_gives_the_content_another_version(overlay: Path) -> None:
    versions = {usable(write(overlay, RULE_FILE, changed_number(value))).version for value in (42, 56, 70)}
    assert len(versions) == 3


def test_notes_of_people_and_files_of_editors_change_nothing(overlay: Path) -> None:
    for name in ("README.md", ".git/config", "approvals.jsonl"):
        write(overlay, name, "x")
    assert usable(overlay).digest == BASE.digest


def test_the_overlay_that_the_documentation_shows_can_be_used(overlay: Path) -> None:
    text = (Path(__file__).parent.parent / "docs/content.md").read_text("utf-8")
    blocks = [block.replace("\n    ", "\n") for block in re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", text, re.M)]
    files = {"[summary]": WORDING, "[threshold": RULE_FILE, "[flag": f"{RULE}/text-patterns.toml"}
    for start, file in files.items():
        (block,) = [block.strip() for block in blocks if block.strip().startswith(start)]
        write(overlay, file, block)
    (named,) = [block.strip() for block in blocks if block.strip().startswith("[[reason]]")]
    reasons, _, systems = named.partition("[[system]]")
    write(overlay, f"{RULE}/override-reasons.toml", reasons)
    write(overlay, "code-systems.toml", f"[[system]]{systems}")
    (own,) = [block.strip() for block in blocks if block.strip().startswith("[[system]]")]
    write(overlay, "code-systems.toml", f"[[system]]{systems}\n{own}")
    sets = [json.loads(block) for block in blocks if block.strip().startswith("{")]
    for value_set in sets:
        write(overlay, f"value-sets/{value_set['id']}.json", json.dumps(value_set))
    assert not problems(overlay)
    assert not read(overlay).notes

    # The code of the hospital's own means what the page says.
    (local,) = [
        include for value_set in sets for include in value_set["compose"]["include"] if "/codes" in include["system"]
    ]
    code = local["concept"][0]["code"]
    assert usable(overlay).terminology.value_sets_with(local["system"], code) == {"back-pain-unspecified"}


# --- What it cannot mean

MISTAKES: dict[str, tuple[str, str, str, str]] = {
    # file, text, place, what is said
    "a misspelt sentence": (WORDING, '[summary]\nimagin = "x"\n', "summary.imagin", "did you mean 'imaging'?"),
    "a misspelt section": (WORDING, '[sumary]\nimaging = "x"\n', "sumary", "did you mean 'summary'?"),
    "a misspelt threshold": (
        RULE_FILE,
        changed_number(9, "new_window_day"),
        "new_window_day",
        "did you mean 'new_window_days'?",
    ),
    "a misspelt reason": (
        f"{RULE}/override-reasons.toml",
        '[[reason]]\ncode = "imaged-elsewere"\ndisplay = "x"\n',
        "reason.imaged-elsewere",
        "did you mean 'imaged-elsewhere'?",
    ),
    "a reason that is new and does not say so": (
        f"{RULE}/override-reasons.toml",
        '[[reason]]\ncode = "zzz"\ndisplay = "x"\n',
        "reason.zzz",
        "add = true",
    ),
    "a number without its reason": (
        RULE_FILE,
        "[threshold.new_window_days]\nvalue = 56\n",
        "threshold.new_window_days.value",
        "'why' and 'source'",
    ),
    "a number out of bounds": (
        RULE_FILE,
        changed_number(9999),
        "threshold.new_window_days.value",
        "is not from 1 to 3650",
    ),
    "another rule": (RULE_FILE, 'id = "another"\n', "id", "not for an overlay to change"),
    "another release": (RULE_FILE, 'version = "9.9.9"\n', "version", "not for an overlay to change"),
    "a name that the sentence has not": (
        WORDING,
        '[summary]\nimaging = "Order {stduy}"\n',
        "summary.imaging",
        "{stduy} is not known here",
    ),
    "a summary that is too long": (
        WORDING,
        f'[summary]\nimaging = "{"x" * 140}"\n',
        "summary.imaging",
        "139 are allowed",
    ),
    "a table where a sentence is": (WORDING, '[summary.imaging]\ntext = "x"\n', "summary.imaging", "is one value"),
    "a text where a table is": (WORDING, 'summary = "x"\n', "summary", "is a table"),
    "a text where a list is": (
        f"{RULE}/text-patterns.toml",
        "[flag.course]\npatterns = 'x'\n",
        "flag.course.patterns",
        "is a list",
    ),
    "a word that is not in the list": (
        f"{RULE}/text-patterns.toml",
        "[flag.course]\npatterns = { remove = ['zzz'] }\n",
        "flag.course.patterns",
        "'zzz' is not in the list",
    ),
    "a pattern that is none": (
        f"{RULE}/text-patterns.toml",
        "[flag.course]\npatterns = { add = ['(('] }\n",
        "((",
        "not a regular expression",
    ),
    "a wrong type": (
        f"{RULE}/override-reasons.toml",
        '[[reason]]\ncode = "imaged-elsewhere"\ndisplay = 7\n',
        "reason.0.display",
        "is not of type 'string'",
    ),
    "no TOML": (WORDING, "[summary\n", "", "not well-formed TOML"),
    "a date without quotes": (RULE_FILE, "review_by = 2027-10-01\n", "review_by", "is text: write it in quotes"),
    "a number that stands elsewhere": (
        RULE_FILE,
        changed_number(30, "egfr_recent_days"),
        "threshold.egfr_recent_days",
        "the setting 'egfr_recent_days'; in the content its number is 'recent_days' in the table [kidneys]",
    ),
}


@pytest.mark.parametrize(("file", "text", "place", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_by_the_overlays_file_its_place_and_what_is_wanted(
    overlay: Path, file: str, text: str, place: str, said: str
) -> None:
    found = problems(write(overlay, file, text))
    assert all(problem.startswith(f"{overlay / file}: ") for problem in found)
    assert any(place in problem and said in problem for problem in found), found


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("code-systems.toml", "[[system]\n"),
        ("code-systems.toml", "[[system]]\nadd = true\nuri = 7\n"),
        (f"{RULE}/orders.toml", "[mri\n"),
        (f"{RULE}/cautions.toml", "[[caution]\n"),
    ],
)
def test_a_file_that_cannot_be_used_keeps_back_no_problem_of_another(overlay: Path, file: str, text: str) -> None:
    write(overlay, WORDING, '[summary]\nimaging = "Order {stduy}"\n')
    write(overlay, RULE_FILE, changed_number(9999))
    others = set(problems(overlay))
    assert len(others) == 2
    found = set(problems(write(overlay, file, text)))
    assert others < found
    assert all(problem.startswith(f"{overlay / file}: ") for problem in found - others)


def test_the_number_of_an_egfr_is_changed_where_it_stands(overlay: Path) -> None:
    content = usable(write(overlay, f"{RULE}/cautions.toml", "[kidneys]\nrecent_days = 30\n"))
    assert content.cautions.kidneys.recent_days == 30


FILES = {
    "wording.toml": f"did you mean '{WORDING}'?",
    "breast_cancer_backpain/wording.toml": f"did you mean '{WORDING}'?",
    f"{RULE}/wordings.toml": f"did you mean '{WORDING}'?",
    "value-set/hospice.json": "did you mean 'value-sets/hospice.json'?",
    "value-sets/hospice.toml": "did you mean 'value-sets/hospice.json'?",
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_changes_nothing_is_refused_with_the_one_that_was_meant(overlay: Path, name: str) -> None:
    write(overlay, name, "{}")
    assert only_problem(overlay) == f"{overlay / name}: the content has no such file to change; {FILES[name]}"


def test_an_overlay_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "there is no such folder" in only_problem(tmp_path / "nowhere")


CODES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "without display": (
        lambda folder: write_codes(
            folder, "back-pain-lumbar", include=listed({"code": NEW_CODE["code"]}), copyright=COPYRIGHT
        ),
        "needs a 'display'",
    ),
    "without source": (
        lambda folder: write_codes(folder, "back-pain-lumbar", include=listed(NEW_CODE)),
        "say here where the added codes were confirmed",
    ),
    "mistyped": (
        lambda folder: write_codes(
            folder, "back-pain-lumbar", include=listed(NEW_CODE | {"code": "202788070"}), copyright=COPYRIGHT
        ),
        "cannot be a code of this system",
    ),
    "in a system that nobody knows": (
        lambda folder: write_codes(
            folder, "back-pain-lumbar", include=listed(NEW_CODE, system="http://snomed.info/sc"), copyright=COPYRIGHT
        ),
        "did you mean 'http://snomed.info/sct'?",
    ),
    "that is not there to be taken out": (
        lambda folder: write_codes(folder, "back-pain-lumbar", exclude=listed({"code": "279039008"})),
        "is not listed there; did you mean '279039007'?",
    ),
    "that a whole category stands for": (
        lambda folder: write_codes(
            folder, "breast-cancer", exclude=listed({"code": "C50.911"}, system="http://hl7.org/fhir/sid/icd-10-cm")
        ),
        "category C50",
    ),
    "in a set that does not exist": (
        lambda folder: write_codes(folder, "back-pain-lumber", include=listed(NEW_CODE)),
        "there is no value set 'back-pain-lumber' to change; did you mean 'back-pain-lumbar'?",
    ),
    "under another id": (
        lambda folder: write(folder, "value-sets/hospice.json", '{"id": "hospise", "title": "Hospice care"}'),
        "must be 'hospice'",
    ),
}


@pytest.mark.parametrize(("written", "said"), CODES.values(), ids=CODES)
def test_a_code_is_refused(overlay: Path, written: Callable[[Path], Path], said: str) -> None:
    found = problems(written(overlay))
    assert any(said in problem and str(overlay) in problem for problem in found), found


def test_a_code_of_a_set_that_excludes_the_other_is_refused(overlay: Path) -> None:
    cancer = {"code": "254837009", "display": "Malignant neoplasm of breast (disorder)"}
    write_codes(overlay, "back-pain-lumbar", include=listed(cancer), copyright=COPYRIGHT)
    assert any("exclude each other" in problem for problem in problems(overlay))


# --- The content changes below


def test_a_line_that_the_content_has_by_now_is_noted_and_no_problem(overlay: Path, content_copy: Path) -> None:
    write(overlay, WORDING, CHANGED_SENTENCE)
    replace_in(content_copy, WORDING, r"^imaging = .*", f'imaging = "{SENTENCE}"')
    reading = read(overlay, folder=content_copy)
    assert not reading.problems
    assert [str(note) for note in reading.notes] == [
        f"{overlay / WORDING}: summary.imaging: is the same in the content: the line can go"
    ]


def test_a_code_that_the_content_has_by_now_is_noted_and_listed_once(overlay: Path) -> None:
    known = {"code": "279039007", "display": "Low back pain"}
    write_codes(overlay, "back-pain-lumbar", include=listed(known), copyright=COPYRIGHT)
    reading = read(overlay)
    assert not reading.problems
    assert "279039007 is listed already" in str(reading.notes[0])
