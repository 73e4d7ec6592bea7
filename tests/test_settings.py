"""Settings: defaults, the file and the environment, and a wrong setting stops the start by its name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cds_service import create_app
from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.content.error import ContentError
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import DecisionSupport
from cds_service.settings import LocalCoding, Settings, SettingsError, make_settings, read_settings, settings_table
from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, NOW, SERVICES, condition, day, prefetch, request

Json = dict[str, Any]

LOCAL = {"system": "https://hospital.example.org/orderables", "code": "MRLS", "display": "MRI L-spine w/wo"}
LOCAL_TOML = """
[[order_codings.mri-lumbar-spine]]
system = "https://hospital.example.org/orderables"
code = "MRLS"
display = "MRI L-spine w/wo"
"""


def config(folder: Path, text: str | bytes) -> dict[str, str]:
    """An environment that names a settings file with this text."""
    path = folder / "cds.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return {"CDS_CONFIG": str(path)}


def refusal(environment: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as raised:
        read_settings(environment)
    return str(raised.value)


# --- Reading


@pytest.mark.parametrize(
    ("setting", "default"),
    [
        ("content_folder", None),
        ("cors_origins", ()),
        ("max_body_bytes", 10_000_000),
        ("order_codings", {}),
        ("order_intent", "proposal"),
        ("source_url", None),
        ("new_window_days", None),
        ("clean_days", None),
        ("text_match", True),
        ("unconfirmed_cancer", "ignore"),
        ("undated_pain", "card"),
        ("dcis_mode", "off"),
        ("region_unspecified", "whole-spine"),
    ],
)
def test_without_file_and_environment_the_defaults_hold(setting: str, default: object) -> None:
    assert getattr(read_settings({"PATH": "/usr/bin"}), setting) == default


def options_of(settings: Settings) -> RuleOptions:
    return RuleOptions.of(load_content(), settings.model_dump())


def test_thresholds_come_from_the_content_where_a_site_sets_none() -> None:
    options = options_of(Settings())
    assert (options.new_window_days, options.clean_days) == (84, 180)


def test_a_site_can_set_both_thresholds_even_to_no_clean_days() -> None:
    options = options_of(Settings(new_window_days=42, clean_days=0))
    assert (options.new_window_days, options.clean_days) == (42, 0)


@pytest.mark.parametrize("setting", Settings.model_fields)
def test_every_setting_says_what_it_means(setting: str) -> None:
    assert Settings.model_fields[setting].description


def test_the_file_is_read(tmp_path: Path) -> None:
    settings = read_settings(config(tmp_path, 'dcis_mode = "info"\nnew_window_days = 42\ncors_origins = []\n'))
    assert (settings.dcis_mode, settings.new_window_days) == ("info", 42)


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("CDS_NEW_WINDOW_DAYS", "42", 42),
        ("CDS_TEXT_MATCH", "false", False),
        ("CDS_CORS_ORIGINS", '["https://ehr.example.org"]', ("https://ehr.example.org",)),
        ("CDS_DCIS_MODE", '"info"', "info"),
        ("CDS_CLEAN_DAYS", "null", None),
    ],
)
def test_a_variable_is_read_as_json_where_it_is_json(variable: str, text: str, value: object) -> None:
    setting = variable.removeprefix("CDS_").lower()
    assert getattr(read_settings({variable: text}), setting) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("CDS_DCIS_MODE", "info"),
        ("CDS_SOURCE_URL", "https://hospital.example.org/guideline"),
        ("CDS_CONTENT_FOLDER", "/srv/cards"),
    ],
)
def test_a_variable_that_is_not_json_is_read_as_text(variable: str, text: str) -> None:
    setting = variable.removeprefix("CDS_").lower()
    assert str(getattr(read_settings({variable: text}), setting)) == text


@pytest.mark.parametrize("setting", ["content_folder", "content_overlay", "data_folder", "ca_bundle"])
@pytest.mark.parametrize("text", ["", " "])
def test_an_empty_variable_is_no_path_and_the_file_holds(tmp_path: Path, setting: str, text: str) -> None:
    variable = {f"CDS_{setting.upper()}": text}
    assert getattr(read_settings(variable), setting) is None
    if setting == "content_overlay":
        environment = config(tmp_path, 'content_overlay = "/srv/overlay"') | variable
        assert read_settings(environment).content_overlay == Path("/srv/overlay")


def test_broken_json_in_a_variable_is_told_as_such_and_not_shown() -> None:
    message = refusal({"CDS_CLIENTS": '[{"issuer": "TOPSECRET", }]'})
    assert "setting 'clients'" in message and "not well-formed JSON" in message and "column" in message
    assert "TOPSECRET" not in message
    assert "JSON" not in refusal({"CDS_CLIENTS": "nobody"})


@pytest.mark.parametrize("name", ["her2-or-triple-negative", "seed-strict"])
def test_the_choice_of_two_subtypes_is_accepted_under_its_name_and_the_deprecated_one(name: str) -> None:
    settings = read_settings({"CDS_BRAIN_ANY_SUBTYPE": name})
    assert settings.brain_any_subtype == "her2-or-triple-negative"
    assert "`seed-strict` is the deprecated name" in settings_table()


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    environment = config(tmp_path, 'dcis_mode = "info"\nundated_pain = "silent"\n') | {"CDS_DCIS_MODE": "off"}
    settings = read_settings(environment)
    assert (settings.dcis_mode, settings.undated_pain) == ("off", "silent")


def test_a_sites_order_codes_are_read_from_the_file(tmp_path: Path) -> None:
    settings = read_settings(config(tmp_path, LOCAL_TOML))
    assert [coding.code for coding in settings.order_codings["mri-lumbar-spine"]] == ["MRLS"]


def test_a_sites_order_codes_are_read_from_the_environment() -> None:
    settings = read_settings({"CDS_ORDER_CODINGS": json.dumps({"mri-lumbar-spine": [LOCAL]})})
    assert [coding.code for coding in settings.order_codings["mri-lumbar-spine"]] == ["MRLS"]


# --- Settings that stop the start


# setting, text of its variable, what the message must say was expected
WRONG = [
    ("text_match", "yes", "boolean"),
    ("text_match", "1", "boolean"),
    ("new_window_days", "12 weeks", "integer"),
    ("new_window_days", '"84"', "integer"),
    ("new_window_days", "84.0", "integer"),
    ("new_window_days", "true", "integer"),
    ("new_window_days", "", "integer"),
    ("new_window_days", "0", "greater than or equal to 1"),
    ("clean_days", "-1", "greater than or equal to 0"),
    ("clean_days", "9999", "less than or equal to 3650"),
    ("max_body_bytes", "10", "greater than or equal to 1000"),
    ("dcis_mode", "on", "'off' or 'info'"),
    ("region_unspecified", "lumbar", "'whole-spine' or 'spine'"),
    ("order_intent", "draft", "'proposal', 'plan' or 'order'"),
    ("source_url", "guideline.html", "URL"),
    ("cors_origins", '["*"]', "http"),
    ("cors_origins", '["https://ehr.example.org/"]', "http"),
    ("cors_origins", "https://ehr.example.org", "list"),
    ("order_codings", "MRLS", "dictionary"),
]


@pytest.mark.parametrize(("setting", "text", "expected"), WRONG, ids=[f"{name}={text}" for name, text, _ in WRONG])
def test_a_wrong_value_is_named_with_what_was_expected(setting: str, text: str, expected: str) -> None:
    message = refusal({f"CDS_{setting.upper()}": text})
    assert f"setting '{setting}" in message
    assert expected in message


@pytest.mark.parametrize("missing", ["system", "code", "display"])
def test_a_sites_order_code_that_lacks_a_part_is_named(missing: str) -> None:
    coding = {name: text for name, text in LOCAL.items() if name != missing}
    message = refusal({"CDS_ORDER_CODINGS": json.dumps({"mri-lumbar-spine": [coding]})})
    assert f"setting 'order_codings.mri-lumbar-spine.0.{missing}'" in message


def test_an_unknown_setting_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    for environment in ({"CDS_DCIS": "info"}, config(tmp_path, 'dcis = "info"')):
        message = refusal(environment)
        assert "setting 'dcis': there is no such setting" in message
        assert "dcis_mode" in message


def test_all_wrong_settings_are_named_at_once() -> None:
    message = refusal({"CDS_DCIS_MODE": "on", "CDS_TEXT_MATCH": "yes"})
    assert "'dcis_mode'" in message and "'text_match'" in message


@pytest.mark.parametrize("text", ["dcis_mode = ", b"\xff", "dcis_mode = 'off'\ndcis_mode = 'info'"])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, text: str | bytes) -> None:
    environment = config(tmp_path, text)
    message = refusal(environment)
    assert "CDS_CONFIG" in message and environment["CDS_CONFIG"] in message
    assert "not well-formed TOML" in message


@pytest.mark.parametrize("name", ["absent.toml", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    path = str(tmp_path / name)
    message = refusal({"CDS_CONFIG": path})
    assert "CDS_CONFIG" in message and path in message
    assert "cannot be read" in message


def test_an_order_code_for_an_unknown_order_stops_the_start() -> None:
    settings = Settings(order_codings={"mri-lumbar": (LocalCoding(**LOCAL),)})
    with pytest.raises(SettingsError, match="order_codings.*mri-lumbar"):
        create_app(settings)


def test_a_content_folder_without_content_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ContentError):
        create_app(make_settings({"content_folder": tmp_path}))


# --- What settings do to a proposed order


def proposed_orders(settings: Settings) -> Sequence[Json]:
    """The ServiceRequests for a patient with breast cancer long ago and low back pain for five days."""
    chart = prefetch(condition(BREAST_CANCER, onset=day(4000)), condition(LOW_BACK_PAIN, onset=day(5)))
    service = SERVICES["breast-cancer-back-pain-patient-view"]
    (card,) = DecisionSupport(settings).decide(HookCall(service, NOW), request(prefetch=chart)).response["cards"]
    return [suggestion["actions"][0]["resource"] for suggestion in card["suggestions"]]


def test_a_sites_order_code_stands_after_ours_and_only_on_its_order() -> None:
    mri, *others = proposed_orders(Settings(order_codings={"mri-lumbar-spine": (LocalCoding(**LOCAL),)}))
    ours = [dict(coding) for coding in load_content().orders["mri-lumbar-spine"].codings]
    assert mri["code"]["coding"] == [*ours, LOCAL]
    assert not any(LOCAL in order["code"]["coding"] for order in others)


@pytest.mark.parametrize("intent", ["proposal", "plan", "order"])
def test_proposed_orders_have_the_sites_intent(intent: str) -> None:
    assert {order["intent"] for order in proposed_orders(make_settings({"order_intent": intent}))} == {intent}


@pytest.mark.parametrize(
    "values",
    [
        {"base_url": "https://user:TOPSECRET@cds.example.org"},
        {"base_url": "https://cds.example.org?token=TOPSECRET"},
        {"ledger_url": "oracle://user:TOPSECRET@host/name"},
        {"ledger_url": "=TOPSECRET"},
        {"pseudonym_key": "TOPSECRET"},
        {"pseudonym_key": "0" * 64},
        {"fhir_servers": ["https://ehr.example.org/fhir?token=TOPSECRET"]},
    ],
)
def test_a_setting_that_could_hold_a_secret_is_refused_without_it(values: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(values))) as refused:
        make_settings(values)
    assert "TOPSECRET" not in str(refused.value)


def test_a_client_may_not_name_a_service_that_does_not_exist() -> None:
    trusted = {"issuer": "https://ehr.example.org", "jwks_url": "https://ehr.example.org/keys", "services": ["gone"]}
    with pytest.raises(SettingsError, match="there is no service 'gone'"):
        make_settings({"clients": [trusted], "base_url": "https://cds.example.org"})
