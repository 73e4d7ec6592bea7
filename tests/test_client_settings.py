"""Each client is answered with settings and content of its own, and every record says with which."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from cds_service.app import make_app
from cds_service.cli.main import main
from cds_service.decision.caller import Caller
from cds_service.decision.explanation import explain
from cds_service.decision.hook_call import HookCall
from cds_service.decision.open_ledger import modes_of, open_ledger
from cds_service.decision.recording import decision_entry, feedback_entries
from cds_service.decision.support import Decision, DecisionSupport
from cds_service.ledger.entries import ANONYMOUS, DecisionEntry, Mode
from cds_service.ledger.store import Ledger
from cds_service.protocol.feedback import read_feedback
from cds_service.reporting.export import rows
from cds_service.reporting.summary import summarize
from cds_service.settings import PER_CLIENT, Settings, SettingsError, make_settings
from tests.builders import (
    BREAST_CANCER,
    CHIEF_COMPLAINT,
    LOW_BACK_PAIN,
    NOW,
    SERVICES,
    condition,
    created,
    day,
    request,
    supplied,
)
from tests.content_copies import RULE
from tests.ledger_entries import NOON, SERVICE, fired
from tests.overlays import CHANGED_SENTENCE, WORDING, write
from tests.token_maker import BASE_URL, ISSUER, PATH, bearer, key, key_set, token

ONE, OTHER, THIRD = ISSUER, "https://north.example.org/fhir", "https://south.example.org/fhir"

# Low back pain that began sixty days ago.
CALL = request(
    "patient-view", supplied(condition(BREAST_CANCER, onset="2014"), condition(LOW_BACK_PAIN, onset=day(60)))
)
LOCAL = {"system": "https://hospital.example.org/orderables", "code": "MRLS", "display": "MRI L-spine w/wo"}
KEY = "a key of the tests, that guards nothing"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(key()))
    return path


def settings_with(keys: Path, own: Mapping[str, Mapping[str, Any]], **site: Any) -> Settings:
    """Settings of a site with some clients, each with settings of its own."""
    clients = [{"issuer": issuer, "jwks_file": str(keys), **values} for issuer, values in own.items()]
    return make_settings({"base_url": BASE_URL, "clients": clients, "data_folder": str(keys.parent), **site})


def call_of(client: str) -> HookCall:
    return HookCall(SERVICES[SERVICE], NOW, Caller(client))


def decide(support: DecisionSupport, client: str) -> Decision:
    return support.decide(call_of(client), CALL)


def outcomes(support: DecisionSupport, clients: Iterable[str] = (ONE, OTHER)) -> list[str]:
    return [str(decide(support, client).assessment.outcome) for client in clients]


def card(support: DecisionSupport, client: str) -> dict[str, Any]:
    (only,) = decide(support, client).response["cards"]
    return dict(only)


# --- What a client can have of its own


def test_thresholds(keys: Path) -> None:
    support = DecisionSupport(settings_with(keys, {ONE: {"new_window_days": 42}, OTHER: {}}))
    assert outcomes(support) == ["not-applicable", "fired"]
    assert outcomes(support, [ANONYMOUS]) == ["fired"], "whom the settings do not name is answered as the site says"


def test_a_threshold_of_the_site_holds_where_the_client_has_none(keys: Path) -> None:
    support = DecisionSupport(settings_with(keys, {ONE: {"new_window_days": 84}, OTHER: {}}, new_window_days=42))
    assert outcomes(support) == ["fired", "not-applicable"]


def test_the_extent_of_the_mri(keys: Path) -> None:
    support = DecisionSupport(settings_with(keys, {ONE: {"mri_extent": "whole-spine"}, OTHER: {}}))
    assert [decide(support, client).assessment.studies[0] for client in (ONE, OTHER)] == [
        "mri-whole-spine",
        "mri-lumbar-spine",
    ]


def test_order_codes_beside_those_of_the_site_and_their_intent(keys: Path) -> None:
    scan = LOCAL | {"code": "NMBS"}
    own = {"order_codings": {"mri-lumbar-spine": [LOCAL | {"code": "OWN"}]}, "order_intent": "plan"}
    site = {"mri-lumbar-spine": [LOCAL], "bone-scan-whole-body": [scan]}
    support = DecisionSupport(settings_with(keys, {ONE: own, OTHER: {}}, order_codings=site))

    def codes(client: str) -> list[str]:
        orders = created(card(support, client))
        return [
            item["code"] for order in orders for item in order["code"]["coding"] if item["system"] == LOCAL["system"]
        ]

    assert codes(ONE) == ["OWN", "NMBS"] and codes(OTHER) == ["MRLS", "NMBS"]
    assert [created(card(support, client))[0]["intent"] for client in (ONE, OTHER)] == ["plan", "proposal"]


def test_the_map_of_reasons(keys: Path) -> None:
    own = {"override_reason_codes": {"7": "pain-not-new"}}
    support = DecisionSupport(
        settings_with(keys, {ONE: own, OTHER: {}}, override_reason_codes={"7": "imaged-elsewhere"})
    )
    said = {"card": "f0000000-0000-4000-8000-000000000001", "outcome": "overridden"}
    feedback = read_feedback({"feedback": [said | {"overrideReason": {"reason": {"code": "7"}}}]})

    def reason(client: str) -> str:
        evaluator, call = support.evaluators.of(client), call_of(client)
        content = evaluator.rule_of(call.service).content
        return feedback_entries(feedback, call, evaluator.settings, content)[0].reason

    assert (reason(ONE), reason(OTHER)) == ("pain-not-new", "imaged-elsewhere")


def test_the_mode_from_which_it_starts(keys: Path) -> None:
    settings = settings_with(keys, {ONE: {"mode": "silent"}, OTHER: {}})
    modes = modes_of(settings, list, lambda error: None)
    assert [modes.mode(SERVICE, client) for client in (ONE, OTHER)] == [Mode.SILENT, Mode.LIVE]


def test_a_mode_of_a_client_beside_one_in_the_table_of_modes_is_refused(keys: Path) -> None:
    with pytest.raises(SettingsError, match="stand there twice"):
        settings_with(keys, {ONE: {"mode": "silent"}}, modes=[{"client": ONE, "mode": "off"}])


def test_card_texts_by_an_overlay_over_that_of_the_site(keys: Path, tmp_path: Path) -> None:
    site = write(tmp_path / "site", WORDING, CHANGED_SENTENCE)
    own = write(
        tmp_path / "north", f"{RULE}/override-reasons.toml", '[[reason]]\ncode = "pain-not-new"\ndisplay = "Old"\n'
    )
    support = DecisionSupport(
        settings_with(keys, {ONE: {"content_overlay": str(own)}, OTHER: {}}, content_overlay=str(site))
    )
    ours, theirs = card(support, ONE), card(support, OTHER)
    assert "rule out spinal metastasis" in ours["summary"] and ours["summary"] == theirs["summary"]
    assert "Old" in [reason["display"] for reason in ours["overrideReasons"]]
    assert "Old" not in [reason["display"] for reason in theirs["overrideReasons"]]
    assert len({support.rule_of(SERVICES[SERVICE], client).content.digest for client in (ONE, OTHER)}) == 2


def test_the_approval_of_a_clients_own_content_is_asked_for_beside_that_of_the_site(keys: Path, tmp_path: Path) -> None:
    own = write(tmp_path / "north", WORDING, CHANGED_SENTENCE)
    support = DecisionSupport(settings_with(keys, {ONE: {"content_overlay": str(own)}, OTHER: {}}))
    (warning,) = support.approval_warnings()
    assert support.rule_of(SERVICES[SERVICE], ONE).content.version in warning


@pytest.mark.parametrize("name", PER_CLIENT)
def test_every_setting_of_a_client_is_one_of_the_site_and_takes_its_values(keys: Path, name: str) -> None:
    assert name in Settings.model_fields
    with pytest.raises(SettingsError, match=rf"setting 'clients\.0\.{name}"):
        settings_with(keys, {ONE: {name: {"no": 1.5}}})


# --- What is shared, and what a call costs


def test_clients_alike_share_one_evaluator_and_a_call_makes_none(keys: Path) -> None:
    own = {"new_window_days": 42}
    support = DecisionSupport(settings_with(keys, {ONE: own, OTHER: own, THIRD: {"new_window_days": 84}}))
    assert support.evaluators.of(ONE) is support.evaluators.of(OTHER)
    assert support.evaluators.of(THIRD) is support.evaluators.site, "84 days are what the content says"
    assert len(list(support.evaluators)) == 2
    before = support.evaluators.of(ONE).rules
    decide(support, ONE)
    assert support.evaluators.of(ONE).rules is before


# --- What does not fit is told by the client


def test_what_does_not_fit_the_content_is_told_by_client(keys: Path) -> None:
    own = {"order_codings": {"mri-lumbar-spin": [LOCAL]}, "override_reason_codes": {"7": "imaged-elswhere"}}
    with pytest.raises(SettingsError) as refused:
        DecisionSupport(settings_with(keys, {ONE: {}, OTHER: own}))
    assert refused.value.problems == (
        "setting 'clients.1.order_codings.mri-lumbar-spin': there is no such order; did you mean 'mri-lumbar-spine'?",
        "setting 'clients.1.override_reason_codes.7': there is no override reason 'imaged-elswhere' in the content; did"
        " you mean 'imaged-elsewhere'?",
    )


def test_config_check_tells_a_misspelt_setting_of_a_client(keys: Path, tmp_path: Path) -> None:
    file = tmp_path / "cds.toml"
    client = f'[[clients]]\nissuer = "{ONE}"\njwks_file = "{keys}"\nmri_extnt = "region"\n'
    file.write_text(f'base_url = "{BASE_URL}"\n{client}', "utf-8")
    result = CliRunner(env={"CDS_CONFIG": str(file)}).invoke(main, ["config", "check"])
    assert "setting 'clients.0.mri_extnt': there is no such setting; did you mean 'mri_extent'?" in result.output


# --- The digest of the settings


def digest(**values: Any) -> str:
    support = DecisionSupport(make_settings(values))
    return support.evaluators.site.settings_digest(support.rules[0])


# Each can change an answer.
CHANGES: list[dict[str, Any]] = [
    {"new_window_days": 42},
    {"new_window_days": 43},
    {"clean_days": 90},
    {"egfr_recent_days": 30},
    {"text_match": False},
    {"mri_extent": "whole-spine"},
    {"undetermined_card": "info"},
    {"order_codings": {"mri-lumbar-spine": [LOCAL]}},
    {"order_intent": "plan"},
    {"override_reason_codes": {"7": "pain-not-new"}},
    {"accepted_gaps": ["observations"]},
    {"base_url": BASE_URL},
    {"pseudonym_key": KEY},
]


def test_no_two_settings_that_answer_otherwise_have_one_digest() -> None:
    assert len({digest(), *(digest(**change) for change in CHANGES)}) == len(CHANGES) + 1


def test_settings_that_say_what_holds_anyway_or_change_no_answer_have_the_same_digest() -> None:
    same: list[dict[str, Any]] = [
        {"new_window_days": 84},
        {"order_intent": "proposal"},
        {"max_body_bytes": 5_000_000},
        {"ledger_url": "postgresql://user:secret@host/name"},
        {"modes": [{"mode": "silent"}]},
        # What is read, each decision says itself; the same chart gives the same answer however it comes.
        {"fhir_servers": ["https://ehr.example.org/fhir"]},
    ]
    assert {digest(**values) for values in same} == {digest()}


def test_no_secret_goes_into_the_digest() -> None:
    assert digest(pseudonym_key=KEY) == digest(pseudonym_key=KEY[::-1])


def test_the_digest_is_the_same_in_every_process() -> None:
    program = (
        "from cds_service.decision.support import DecisionSupport\n"
        "from cds_service.settings import make_settings\n"
        f"support = DecisionSupport(make_settings({CHANGES[7]!r}))\n"
        "print(support.evaluators.site.settings_digest(support.rules[0]))\n"
    )
    root = Path(__file__).parent.parent
    printed = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip() == digest(**CHANGES[7])


# --- Where it stands


def test_two_thresholds_never_give_one_identity(keys: Path) -> None:
    # Both show the same card to this patient.
    support = DecisionSupport(settings_with(keys, {ONE: {"clean_days": 90}, OTHER: {}}))
    one, other = (decide(support, client) for client in (ONE, OTHER))
    assert one.response["cards"][0]["summary"] == other.response["cards"][0]["summary"]
    assert one.rule.content.version == other.rule.content.version
    assert one.settings_digest != other.settings_digest
    site = [DecisionSupport(make_settings({"clean_days": days})) for days in (90, 180)]
    assert len({decide(support, ANONYMOUS).id for support in site}) == 2


def entry_of(support: DecisionSupport, client: str) -> DecisionEntry:
    return decision_entry(decide(support, client), call_of(client))


def test_the_row_of_a_decision_and_its_explanation_name_the_settings(keys: Path) -> None:
    support = DecisionSupport(settings_with(keys, {ONE: {"new_window_days": 42}, OTHER: {}}))
    for client in (ONE, OTHER):
        expected = support.evaluators.of(client).settings_digest(support.rules[0])
        assert entry_of(support, client).settings_digest == expected
        assert f"settings {expected[:8]}" in explain(decide(support, client)).splitlines()[-1]


def test_the_ledger_keeps_it(tmp_path: Path) -> None:
    ledger = Ledger.sqlite(tmp_path)
    ledger.prepare()
    ledger.record_decision(fired(settings_digest="ab" * 32))
    (kept,) = ledger.decisions(NOON, NOON.replace(hour=13))
    ledger.close()
    assert kept.settings_digest == "ab" * 32


def test_report_and_export_tell_decisions_of_different_settings_apart() -> None:
    entries = [fired(1, settings_digest="ab" * 32), fired(2, settings_digest="cd" * 32), fired(3)]
    report = summarize(entries, [], NOON, NOON.replace(hour=13))
    assert [group.name for group in report.by_version] == [
        "1.0.0+3f2a9c1b",
        "1.0.0+3f2a9c1b, settings abababab",
        "1.0.0+3f2a9c1b, settings cdcdcdcd",
    ]
    exported = rows(entries, [], NOON.replace(hour=13), {}, lambda cards: [])
    assert [row.settings_digest for row in exported] == ["ab" * 32, "cd" * 32, ""]


@pytest.fixture
def http(keys: Path) -> FlaskClient:
    site = {"pseudonym_key": KEY, "open_discovery": False}
    settings = settings_with(keys, {ONE: {"new_window_days": 42}, OTHER: {}}, **site)
    return make_app(settings, lambda: NOW).test_client()


def post(http: FlaskClient, client: str) -> dict[str, Any]:
    response = http.post(PATH, json=CALL, headers={"Authorization": bearer(token(iss=client))})
    assert response.status_code == 200, response.data
    return dict(response.get_json())


def test_over_http_each_client_has_its_own_answer_log_line_row_and_metric(
    http: FlaskClient, keys: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert [len(post(http, client)["cards"]) for client in (ONE, OTHER)] == [0, 1]
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "cds_service.requests"]
    logged = [line["settings_digest"] for line in lines]
    assert len(set(logged)) == 2 and all(re.fullmatch("[0-9a-f]{8}", shown) for shown in logged)
    ledger = open_ledger(make_settings({"data_folder": str(keys.parent)}))
    kept = {entry.client: entry.settings_digest for entry in ledger.decisions(NOW, NOW.replace(hour=13))}
    ledger.close()
    assert [kept[client][:8] for client in (ONE, OTHER)] == logged
    text = http.get("/metrics").get_data(as_text=True)
    assert set(re.findall(r'cds_settings_info\{settings="(\w+)"', text)) >= set(logged)


def test_a_client_that_discovers_under_its_token_is_told_the_prefetch_of_its_own_content(
    keys: Path, tmp_path: Path
) -> None:
    fewer = '[prefetch]\nobservations = { remove = ["complaint-observation"] }\n'
    own = write(tmp_path / "north", f"{RULE}/rule.toml", fewer)
    settings = settings_with(keys, {ONE: {"content_overlay": str(own)}, OTHER: {}}, open_discovery=False)
    http = make_app(settings, lambda: NOW).test_client()

    def template(client: str) -> str:
        headers = {"Authorization": bearer(token(iss=client, aud=f"{BASE_URL}/cds-services"))}
        found = http.get("/cds-services", headers=headers).get_json()["services"]
        return str(next(item for item in found if item["id"] == SERVICE)["prefetch"]["observations"])

    code = CHIEF_COMPLAINT.split()[1]
    assert code in template(OTHER) and code not in template(ONE)
