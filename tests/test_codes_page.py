"""The page of code sets: every set with every code, licenses once, CPT as numbers only."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.content.terminology import CodeSystem, Terminology, ValueSet
from cds_service.web.codes_page import CPT, code_sets, codes_html
from tests.html_reading import Reading, plain

CONTENT = load_content()
HTML = codes_html(CONTENT)
PAGE = Reading(HTML)


def test_every_set_stands_with_all_its_codes() -> None:
    roles, _ = code_sets(CONTENT.terminology)
    shown = {item.id: item for role in roles for item in role.value_sets}
    assert shown.keys() == CONTENT.terminology.value_sets.keys()
    for value_set in CONTENT.terminology.value_sets.values():
        groups = shown[value_set.id].groups
        codes = {item.code for group in groups for item in (*group.codes, *group.categories)}
        assert codes == {code for _, code, _ in value_set.concepts} | {code for _, code in value_set.categories}
        assert value_set.title in PAGE.text


def test_every_code_is_on_the_page() -> None:
    listed = set(re.findall(r"<li[^>]*><code>([^<]+)</code>", HTML))
    assert listed >= {code for item in CONTENT.terminology.value_sets.values() for _, code, _ in item.concepts}


def test_a_category_without_a_name_says_what_it_stands_for() -> None:
    assert "<code>174</code> <i>every code that begins with it</i>" in HTML
    assert not re.search(r"</code>\s+<i>and all below it", HTML)


def test_each_license_notice_stands_once_and_every_set_leads_to_its_own() -> None:
    roles, notices = code_sets(CONTENT.terminology)
    assert len(set(notices)) == len(notices)
    for number, notice in enumerate(notices, start=1):
        assert unescape(HTML).count(f'<li id="notice-{number}">{notice}</li>') == 1
    for shown in (item for role in roles for item in role.value_sets):
        whole = CONTENT.terminology.value_sets[shown.id].copyright
        assert plain(whole) == plain(f"{notices[shown.notice - 1]} Codes confirmed in: {shown.confirmed}")


# Decision 11.2.
def test_a_code_says_where_it_was_confirmed_and_an_unconfirmed_one_why_it_was_not() -> None:
    told = plain(unescape(HTML))
    for value_set in CONTENT.terminology.value_sets.values():
        for source in value_set.sources.values():
            assert plain(source) in told
        for why in value_set.unconfirmed.values():
            assert f"Not confirmed: {plain(why)}" in plain(re.sub(r"<[^>]+>", "", told))
    number = sum(len(value_set.unconfirmed) for value_set in CONTENT.terminology.value_sets.values())
    assert number
    assert f"{number} of them are marked as not confirmed" in PAGE.text


def test_a_set_of_unknown_role_keeps_its_purpose_whole() -> None:
    value_set = ValueSet("x", "X", "Who knows: nobody.", (("urn:x", "1", "One"),), (), "Notice.")
    (role,), notices = code_sets(Terminology([], [value_set]))
    assert (role.title, role.value_sets[0].purpose) == ("Other sets", "Who knows: nobody.")
    assert (role.value_sets[0].groups[0].system, role.value_sets[0].confirmed, notices) == ("urn:x", "", ("Notice.",))


def test_cpt_codes_stand_without_descriptors_even_where_a_site_added_some() -> None:
    value_set = ValueSet("x", "X", "match: x.", ((CPT, "99999", "A descriptor"),), (), "Notice.")
    page = codes_html(replace(CONTENT, terminology=Terminology([CodeSystem(CPT, "CPT", (), False)], [value_set])))
    assert "99999" in page
    assert "A descriptor" not in page
