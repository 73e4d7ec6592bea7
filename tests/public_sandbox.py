"""The public CDS Hooks Sandbox and the service that it calls: its bodies, headers and tokens from the fixtures.

`fixtures/public-sandbox/` holds our own bodies and headers in the shapes that the Sandbox was seen to send, about a
synthetic patient. The key is made when the tests run.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from werkzeug.test import TestResponse

from cds_service.app import make_app
from cds_service.demo.scenarios import read_request
from cds_service.protocol.validation import problem
from cds_service.settings import Settings, make_settings
from tests.builders import NOW, Json
from tests.token_maker import key, key_set, signed

FOLDER = Path(__file__).parents[1] / "fixtures" / "public-sandbox"
HEADERS: dict[str, dict[str, str]] = json.loads((FOLDER / "headers.json").read_text())
TOKEN: Json = json.loads((FOLDER / "token.json").read_text())
ORIGIN = HEADERS["call"]["Origin"]
BASE_URL = "http://127.0.0.1:8000"

DISCOVERY = "/cds-services"
PATIENT_VIEW, ORDER_SELECT, ORDER_SIGN = (
    f"{DISCOVERY}/breast-cancer-back-pain-{hook}" for hook in ("patient-view", "order-select", "order-sign")
)
SIGNER = key("P-384", TOKEN["header"]["kid"])


def fixture(name: str, now: datetime = NOW) -> Json:
    """A body in the shape of the Sandbox, with its dates filled in."""
    body: Json = read_request(FOLDER / f"{name}.json", now)
    return body


CALLS = [path.stem for path in sorted(FOLDER.glob("*.json")) if path.stem.startswith(("patient-view", "order-"))]


def token(path: str, now: datetime = NOW, **header: str) -> str:
    """A token as the Sandbox makes one for each request: its audience is the exact address called."""
    seconds = int(now.timestamp())
    times = {"iat": seconds, "exp": seconds + TOKEN["payload"]["exp"]}
    payload = TOKEN["payload"] | times | {"aud": f"{BASE_URL}{path}", "jti": str(uuid4())}
    return signed(json.dumps(payload).encode(), SIGNER, header=TOKEN["header"] | header)


def with_token(kind: str, text: str) -> dict[str, str]:
    """The headers of a request (`discovery`, `call`, `feedback`) with a token."""
    return HEADERS[kind] | {"Authorization": HEADERS[kind]["Authorization"].format(token=text)}


def sandbox_settings(folder: Path, **settings: Any) -> Json:
    """Settings under which the Sandbox is a trusted client, and its browser page may call."""
    (folder / "keys.json").write_bytes(key_set(SIGNER))
    client = {
        "issuer": TOKEN["payload"]["iss"],
        "jwks_file": str(folder / "keys.json"),
        "jku": TOKEN["header"]["jku"],
        "cors_origins": [ORIGIN],
    }
    usual = {"development": True, "base_url": BASE_URL, "clients": [client], "open_discovery": False}
    return usual | {"data_folder": str(folder), "pseudonym_key": "a key of the tests, that guards nothing"} | settings


class Sandbox:
    """The Sandbox and the service that it calls."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.settings: Settings = make_settings(sandbox_settings(folder, **settings))
        self.client = make_app(self.settings, lambda: NOW).test_client()

    def preflight(self, path: str, kind: str, **headers: str) -> TestResponse:
        return self.client.options(path, headers=HEADERS[f"preflight-{kind}"] | headers)

    def discover(self, path: str = DISCOVERY) -> TestResponse:
        return self.client.get(path, headers=with_token("discovery", token(path)))

    def call(self, body: object, path: str = "", **headers: str) -> TestResponse:
        """Call the service of the body's hook, or another path."""
        path = path or f"{DISCOVERY}/breast-cancer-back-pain-{body['hook'] if isinstance(body, dict) else ''}"
        sent = with_token("call", token(path)) | headers
        return self.client.post(path, data=json.dumps(body), headers=sent)

    def cards(self, body: Json) -> list[Json]:
        response = self.call(body)
        assert response.status_code == 200, response.text
        assert problem("response", response.json) is None
        return list(json.loads(response.data)["cards"])

    def feed_back(self, name: str, card: Json, path: str = PATIENT_VIEW) -> TestResponse:
        """Send a feedback fixture about a card, and its first suggestion where one is accepted."""
        body = fixture(name)
        (entry,) = body["feedback"]
        entry["card"] = card["uuid"]
        if "acceptedSuggestions" in entry:
            entry["acceptedSuggestions"] = [{"id": card["suggestions"][0]["uuid"]}]
        sent = with_token("feedback", token(f"{path}/feedback"))
        return self.client.post(f"{path}/feedback", data=json.dumps(body), headers=sent)


def draft_of(body: Json) -> Json:
    """The one draft order of a call."""
    (entry,) = body["context"]["draftOrders"]["entry"]
    return dict(entry["resource"])


def changed(body: Json, **elements: Any) -> Json:
    """A call with other elements in its one draft order."""
    body["context"]["draftOrders"]["entry"][0]["resource"] |= elements
    return body


def text_of(response: TestResponse) -> str:
    """What an OperationOutcome says."""
    assert problem("operation-outcome", response.json) is None
    return str(json.loads(response.data)["issue"][0]["details"]["text"])
