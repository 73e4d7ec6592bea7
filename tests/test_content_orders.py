"""Every order and every sentence that the content can put on a card."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from itertools import combinations
from uuid import UUID

import pytest
from fhir.resources.R4B.servicerequest import ServiceRequest

from cds_service.advice.call import DecidedCall, OrderOptions
from cds_service.advice.detail import in_words
from cds_service.advice.service_request import service_request
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.rules.assessment import Outcome, ProposedOrder
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Note, Reason
from cds_service.clinical.rules.breast_cancer_back_pain.red_flags import RedFlags
from cds_service.clinical.rules.breast_cancer_back_pain.studies import wanted_studies
from cds_service.clinical.rules.breast_cancer_back_pain.summary import summary
from cds_service.clinical.rules.cautions import RaisedCaution
from cds_service.content.model import Content
from cds_service.protocol.hook_request import HookRequest

CONTENT = load_content()

LOINC = "http://loinc.org"

LONGEST_SUMMARY = 139


@pytest.mark.parametrize("slug", CONTENT.orders)
def test_every_order_is_coded_in_loinc_first(slug: str) -> None:
    assert CONTENT.orders[slug].codings[0]["system"] == LOINC


def a_call() -> DecidedCall:
    request = HookRequest(
        hook="patient-view",
        hook_instance="5b0f2c1e-8d0a-4c1b-9a53-0e6f0a4d7c11",
        patient_id="patient-1",
        user_id="Practitioner/dr-rivera",
        encounter="visit-1",
    )
    return DecidedCall(request, datetime(2026, 11, 22, 12, tzinfo=UTC), UUID(int=1))


@pytest.mark.parametrize("slug", CONTENT.orders)
def test_every_order_becomes_a_valid_service_request(slug: str) -> None:
    resource = service_request(ProposedOrder(slug, "urgent"), CONTENT, a_call(), OrderOptions())
    request = ServiceRequest.model_validate(resource)
    assert (request.status, request.intent) == ("draft", "proposal")
    assert resource["code"]["text"] == CONTENT.orders[slug].label


@pytest.mark.parametrize("slug", CONTENT.orders)
def test_every_order_is_answered_by_a_draft_of_itself(slug: str) -> None:
    coding = CONTENT.orders[slug].codings[0]
    present = CONTENT.terminology.value_sets_with(coding["system"], coding["code"])
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
