"""What the service may send: cards, discovery, OperationOutcomes, and the schemas that bind them."""

import copy
from collections.abc import Iterator

import pytest
from jsonschema import Draft202012Validator

from cds_service import errors
from cds_service.errors import CdsError
from cds_service.protocol import validation
from cds_service.protocol.outcome import operation_outcome
from cds_service.protocol.validation import Problem, problem
from tests.protocol_calls import (
    ID_RULE,
    UUID,
    Change,
    Json,
    a_call,
    both,
    changes,
    drop,
    names,
    put,
)

# --- Answers


def a_response() -> Json:
    """An answer that uses every member."""
    order = {"resourceType": "ServiceRequest", "status": "draft", "subject": {"reference": "Patient/1"}}
    return {
        "cards": [
            {
                "uuid": UUID,
                "summary": "One line",
                "detail": "More **text**",
                "indicator": "warning",
                "source": {
                    "label": "Who says so",
                    "url": "https://example.org/evidence",
                    "icon": "https://example.org/icon.png",
                    "topic": {"code": "topic1", "system": "https://example.org/topics", "display": "Topic"},
                },
                "suggestions": [
                    {
                        "label": "Order",
                        "uuid": UUID,
                        "isRecommended": True,
                        "actions": [{"type": "create", "description": "Order it", "resource": order}],
                    },
                    {
                        "label": "Replace",
                        "isRecommended": False,
                        "actions": [
                            {"type": "update", "description": "Change it", "resource": order | {"id": "1"}},
                            {"type": "delete", "description": "Drop it", "resourceId": "ServiceRequest/1"},
                        ],
                    },
                ],
                "selectionBehavior": "any",
                "overrideReasons": [{"code": "r1", "system": "https://example.org/r", "display": "Reason"}],
                "links": [
                    {"label": "Evidence", "url": "https://example.org/evidence", "type": "absolute"},
                    {
                        "label": "App",
                        "url": "https://example.org/launch",
                        "type": "smart",
                        "appContext": "abc",
                        "autolaunchable": False,
                    },
                ],
            }
        ],
        "extension": {"org.example.decision": {"id": "1"}},
    }


@pytest.mark.parametrize("response", [a_response(), {"cards": []}], ids=["every member", "no advice"])
def test_a_good_answer_is_accepted(response: Json) -> None:
    assert problem("response", response) is None


@pytest.mark.parametrize("summary", ["a", "a" * 139, "ä€" * 69])
def test_a_summary_of_139_characters_fits_whatever_their_bytes(summary: str) -> None:
    response = a_response()
    response["cards"][0]["summary"] = summary
    assert problem("response", response) is None


CARD = "cards.0"
CREATE = f"{CARD}.suggestions.0.actions.0"
UPDATE = f"{CARD}.suggestions.1.actions.0"
DELETE = f"{CARD}.suggestions.1.actions.1"
AT_CREATE = "cards[0].suggestions[0].actions[0]"
AT_UPDATE = "cards[0].suggestions[1].actions[0]"
AT_DELETE = "cards[0].suggestions[1].actions[1]"

MISTAKES: list[tuple[str, Change, str]] = [
    ("no cards", drop("cards"), "cards"),
    ("cards null", put("cards", None), "cards"),
    ("unknown member", put("card", []), "body"),
    ("unknown card member", put(f"{CARD}.details", "x"), "cards[0]"),
    ("140 characters", put(f"{CARD}.summary", "a" * 140), "cards[0].summary"),
    ("empty summary", put(f"{CARD}.summary", ""), "cards[0].summary"),
    ("blank summary", put(f"{CARD}.summary", "  "), "cards[0].summary"),
    ("two lines of summary", put(f"{CARD}.summary", "a\nb"), "cards[0].summary"),
    ("summary ending with a line break", put(f"{CARD}.summary", "a\n"), "cards[0].summary"),
    ("no summary", drop(f"{CARD}.summary"), "cards[0].summary"),
    ("empty detail", put(f"{CARD}.detail", ""), "cards[0].detail"),
    ("null detail", put(f"{CARD}.detail", None), "cards[0].detail"),
    ("old indicator", put(f"{CARD}.indicator", "hard-stop"), "cards[0].indicator"),
    ("no indicator", drop(f"{CARD}.indicator"), "cards[0].indicator"),
    ("no source", drop(f"{CARD}.source"), "cards[0].source"),
    ("no source label", drop(f"{CARD}.source.label"), "cards[0].source.label"),
    ("no source topic", drop(f"{CARD}.source.topic"), "cards[0].source.topic"),
    ("topic without system", drop(f"{CARD}.source.topic.system"), "cards[0].source.topic.system"),
    ("relative source url", put(f"{CARD}.source.url", "/evidence"), "cards[0].source.url"),
    ("upper-case uuid", put(f"{CARD}.uuid", UUID.upper()), "cards[0].uuid"),
    ("prefixed uuid", put(f"{CARD}.uuid", f"urn:uuid:{UUID}"), "cards[0].uuid"),
    ("no selectionBehavior", drop(f"{CARD}.selectionBehavior"), "cards[0].selectionBehavior"),
    ("unknown selectionBehavior", put(f"{CARD}.selectionBehavior", "all"), "cards[0].selectionBehavior"),
    ("no suggestions in the list", put(f"{CARD}.suggestions", []), "cards[0].suggestions"),
    (
        "two recommended of at most one",
        both(
            put(f"{CARD}.selectionBehavior", "at-most-one"),
            put(f"{CARD}.suggestions.1.isRecommended", True),
        ),
        "cards[0].suggestions",
    ),
    ("no suggestion label", drop(f"{CARD}.suggestions.0.label"), "cards[0].suggestions[0].label"),
    # Decision 7.5.
    ("no isRecommended", drop(f"{CARD}.suggestions.1.isRecommended"), "cards[0].suggestions[1].isRecommended"),
    ("81 characters of label", put(f"{CARD}.suggestions.0.label", "a" * 81), "cards[0].suggestions[0].label"),
    (
        "isRecommended as text",
        put(f"{CARD}.suggestions.0.isRecommended", "true"),
        "cards[0].suggestions[0].isRecommended",
    ),
    ("actionSelectionBehavior", put(f"{CARD}.suggestions.0.actionSelectionBehavior", "any"), "cards[0].suggestions[0]"),
    ("no actions in the list", put(f"{CARD}.suggestions.0.actions", []), "cards[0].suggestions[0].actions"),
    ("upper-case action", put(f"{CREATE}.type", "CREATE"), f"{AT_CREATE}.type"),
    ("no description", drop(f"{CREATE}.description"), f"{AT_CREATE}.description"),
    ("create without resource", drop(f"{CREATE}.resource"), f"{AT_CREATE}.resource"),
    ("resource as text", put(f"{CREATE}.resource", "{}"), f"{AT_CREATE}.resource"),
    ("untyped resource", drop(f"{CREATE}.resource.resourceType"), f"{AT_CREATE}.resource.resourceType"),
    (
        "null in a resource",
        put(f"{CREATE}.resource.subject", {"display": None}),
        f"{AT_CREATE}.resource.subject.display",
    ),
    ("empty list in a resource", put(f"{CREATE}.resource.note", []), f"{AT_CREATE}.resource.note"),
    ("create with resourceId", put(f"{CREATE}.resourceId", "ServiceRequest/1"), f"{AT_CREATE}.resourceId"),
    ("update of an unnamed resource", drop(f"{UPDATE}.resource.id"), f"{AT_UPDATE}.resource.id"),
    ("delete without resourceId", drop(f"{DELETE}.resourceId"), f"{AT_DELETE}.resourceId"),
    ("delete with resource", put(f"{DELETE}.resource", {"resourceType": "ServiceRequest"}), f"{AT_DELETE}.resource"),
    ("no override reasons in the list", put(f"{CARD}.overrideReasons", []), "cards[0].overrideReasons"),
    (
        "override reason without display",
        drop(f"{CARD}.overrideReasons.0.display"),
        "cards[0].overrideReasons[0].display",
    ),
    ("override reason without system", drop(f"{CARD}.overrideReasons.0.system"), "cards[0].overrideReasons[0].system"),
    ("no links in the list", put(f"{CARD}.links", []), "cards[0].links"),
    ("link without type", drop(f"{CARD}.links.0.type"), "cards[0].links[0].type"),
    ("link to a script", put(f"{CARD}.links.0.url", "javascript:alert(1)"), "cards[0].links[0].url"),
    ("appContext and absolute", put(f"{CARD}.links.0.appContext", "x"), "cards[0].links[0].appContext"),
    ("misspelled autolaunchable", put(f"{CARD}.links.1.autoLaunchable", True), "cards[0].links[1]"),
    ("no system actions in the list", put("systemActions", []), "systemActions"),
    (
        "system action that creates",
        put("systemActions", [{"type": "create", "description": "x", "resource": {"resourceType": "Task"}}]),
        "systemActions[0].type",
    ),
    ("empty extension", put("extension", {}), "extension"),
    ("extension as in FHIR", put("extension", [{"url": "x"}]), "extension"),
    ("null in an extension", put("extension", {"a": {"b": [None]}}), "extension.a.b[0]"),
]


@pytest.mark.parametrize(("change", "path"), changes(MISTAKES), ids=names(MISTAKES))
def test_a_mistake_seen_in_other_services_does_not_leave_this_one(change: Change, path: str) -> None:
    response = a_response()
    change(response)
    found = problem("response", response)
    assert found is not None
    assert found.path == path
    assert found.expected.startswith(("must be", "must have", "is missing"))


def test_an_unknown_member_is_answered_with_the_members_there_are() -> None:
    response = a_response()
    response["cards"][0]["source"]["name"] = "x"
    expected = "must have no other members than extension, icon, label, topic, url"
    assert problem("response", response) == Problem("cards[0].source", expected)


def test_a_system_action_may_change_or_delete_an_order() -> None:
    response = a_response()
    response["systemActions"] = [{"type": "delete", "description": "Drop it", "resourceId": "ServiceRequest/1"}]
    assert problem("response", response) is None


# --- Discovery


def a_service() -> Json:
    return {
        "hook": "patient-view",
        "title": "Title",
        "description": "What it does",
        "id": "some-service",
        "prefetch": {
            "patient": "Patient/{{context.patientId}}",
            "conditions": "Condition?patient={{context.patientId}}&_count=100",
        },
        "usageRequirements": "None",
        "version": "2.0.1",
    }


@pytest.mark.parametrize("services", [[], [a_service()]], ids=["none", "one"])
def test_a_good_discovery_is_accepted(services: list[Json]) -> None:
    assert problem("discovery", {"services": services}) is None


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (put("hook", "patient-viewed"), "services[0].hook"),
        (drop("hook"), "services[0].hook"),
        (drop("description"), "services[0].description"),
        (drop("title"), "services[0].title"),
        (put("id", "Some Service"), "services[0].id"),
        (put("id", "some/service"), "services[0].id"),
        (put("hookVersion", "1.0"), "services[0]"),
        (put("version", "STU2"), "services[0].version"),
        (put("prefetch", {}), "services[0].prefetch"),
        (put("prefetch", {"a b": "Patient/{{context.patientId}}"}), "services[0].prefetch"),
        (put("prefetch.patient", ""), "services[0].prefetch.patient"),
        (put("prefetch.patient", "Patient/{{Patient.id}}"), "services[0].prefetch.patient"),
        (put("prefetch.patient", "Encounter/{{context.encounterId}}"), "services[0].prefetch.patient"),
        (put("prefetch.patient", "Patient/{{context.patientId}"), "services[0].prefetch.patient"),
        (put("usageRequirements", None), "services[0].usageRequirements"),
    ],
)
def test_a_discovery_that_clients_cannot_use_is_refused(change: Change, path: str) -> None:
    service = a_service()
    change(service)
    found = problem("discovery", {"services": [service]})
    assert found is not None
    assert found.path == path


# --- Errors and the outcome

EVERY_ERROR: list[tuple[CdsError, int, str]] = [
    (errors.InvalidRequest("context.patientId", ID_RULE), 400, "invalid"),
    (errors.UnknownService(), 404, "not-found"),
    (errors.NotAllowed(["POST", "OPTIONS"]), 405, "not-supported"),
    (errors.NotAllowed(), 405, "not-supported"),
    (errors.MissingData([("conditions", "was not sent")]), 412, "required"),
    (errors.MissingData([("conditions", "the FHIR server did not answer")], failed=True), 412, "processing"),
    (errors.TooLarge(1000), 413, "too-long"),
    (errors.TooLarge(), 413, "too-long"),
    (errors.WrongMediaType(), 415, "not-supported"),
    (errors.CdsError("Something failed.", "decision 1"), 500, "exception"),
]


@pytest.mark.parametrize(("error", "status", "code"), EVERY_ERROR)
def test_every_error_has_its_status_and_a_valid_outcome(error: CdsError, status: int, code: str) -> None:
    outcome = operation_outcome(error)
    assert error.status == status
    assert problem("operation-outcome", outcome) is None
    (issue,) = outcome["issue"]
    assert (issue["severity"], issue["code"], issue["details"]) == ("error", code, {"text": str(error)})


def test_an_error_without_diagnostics_sends_none() -> None:
    assert "diagnostics" not in operation_outcome(errors.UnknownService())["issue"][0]


def test_missing_data_names_each_key_with_its_cause_and_that_nothing_was_concluded() -> None:
    missing = [("conditions", "was not sent"), ("observations", "the FHIR server answered 503")]
    error = errors.MissingData(missing)
    assert "conditions: was not sent; observations: the FHIR server answered 503" in error.text
    assert "Nothing was concluded" in error.text
    assert error.diagnostics == "Missing prefetch keys: conditions, observations"
    assert error.missing == tuple(missing)


def test_one_processing_failure_does_not_change_the_code_of_later_errors() -> None:
    errors.MissingData([("patient", "the FHIR server did not answer")], failed=True)
    assert errors.MissingData([("patient", "was not sent")]).code == "required"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (drop("issue.0.details"), "issue[0].details"),
        (put("issue.0.diagnostics", None), "issue[0].diagnostics"),
        (put("issue", []), "issue"),
        (put("resourceType", "Outcome"), "resourceType"),
    ],
)
def test_an_outcome_with_gaps_is_refused(change: Change, path: str) -> None:
    outcome = operation_outcome(errors.UnknownService())
    change(outcome)
    found = problem("operation-outcome", outcome)
    assert found is not None
    assert found.path == path


# --- The schemas themselves


KEYWORDS = {"type", "pattern", "enum", "const", "not", "minItems", "maxItems", "minLength", "maxLength"}


def parts(schema: object) -> Iterator[Json]:
    """Yield every object inside a schema, itself included."""
    if isinstance(schema, dict):
        yield schema
    for child in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from parts(child)


@pytest.mark.parametrize("name", validation.SCHEMAS)
def test_a_schema_is_valid_and_says_what_it_is(name: str) -> None:
    schema = validation.load(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"https://cds-service.example.org/schemas/{name}.json"
    assert schema["title"]
    assert schema["description"]


@pytest.mark.parametrize("name", validation.SCHEMAS)
def test_every_reference_of_a_schema_leads_somewhere(name: str) -> None:
    for reference in (part["$ref"] for part in parts(validation.load(name)) if "$ref" in part):
        file, _, definition = reference.partition(".json#/$defs/")
        assert definition in validation.load(file)["$defs"]


@pytest.mark.parametrize("name", validation.SCHEMAS)
def test_whatever_is_checked_has_words_for_its_error(name: str) -> None:
    schema = validation.load(name)
    tested = [part[key] for part in parts(schema) for key in ("if", "contains") if key in part]
    silent = [id(part) for test in tested for part in parts(test)]
    for part in parts(schema):
        # A member that happens to be named "type" makes its parent look like a part with that keyword.
        names_members = isinstance(part.get("type"), dict)
        if KEYWORDS & part.keys() and not names_members and id(part) not in silent:
            assert part.get("x-expected"), part


@pytest.mark.parametrize("name", [name for name in validation.SCHEMAS if name.startswith("request-")])
def test_a_request_schema_never_looks_into_members_that_the_client_names(name: str) -> None:
    def reached(schema: Json) -> Iterator[Json]:
        for part in parts(schema):
            yield part
            if "$ref" in part:
                yield from reached(validation.load("common")["$defs"][part["$ref"].rsplit("/", 1)[1]])

    for part in reached(validation.load(name)):
        assert not {"additionalProperties", "patternProperties", "propertyNames"} & part.keys()


def test_checking_a_document_does_not_change_it() -> None:
    call = a_call("order-select")
    before = copy.deepcopy(call)
    problem("request-order-select", call)
    assert call == before
