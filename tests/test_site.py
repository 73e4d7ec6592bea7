"""The pages for people, their headers, and the link from a card to its evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.app import make_app
from cds_service.protocol.validation import problem
from cds_service.settings import make_settings
from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, NOW, condition, day, request, supplied

PATH = "/cds-services/breast-cancer-back-pain-patient-view"
CALL = request("patient-view", supplied(condition(BREAST_CANCER, onset="2014"), condition(LOW_BACK_PAIN, onset=day(5))))
PAGES = ["/", "/evidence", "/evidence/codes"]


def client_in(folder: Path, **settings: Any) -> FlaskClient:
    return make_app(make_settings({"data_folder": str(folder)} | settings), lambda: NOW).test_client()


@pytest.mark.parametrize("development", [True, False])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_nothing_from_elsewhere_and_stands_in_no_frame(
    tmp_path: Path, path: str, development: bool
) -> None:
    response = client_in(tmp_path, development=development).get(path)
    policy = response.headers["Content-Security-Policy"]
    assert response.status_code == 200
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"


def test_the_workbench_is_served_in_development_only(tmp_path: Path) -> None:
    shown = {mode: client_in(tmp_path, development=mode) for mode in (True, False)}
    assert "workbench" in shown[True].get("/").text.lower()
    assert "workbench" not in shown[False].get("/").text.lower()
    assert shown[True].get("/workbench/patients/row-001-lumbar-pain-icd10").status_code == 200
    assert shown[False].get("/workbench/patients/row-001-lumbar-pain-icd10").status_code == 404
    assert shown[False].post("/workbench/why", json=CALL).status_code == 404


def test_a_card_links_to_the_evidence_page_of_a_service_that_knows_its_address(tmp_path: Path) -> None:
    response = client_in(tmp_path, base_url="https://cds.example.org/back-pain/").post(PATH, json=CALL)
    (card,) = response.get_json()["cards"]
    address = "https://cds.example.org/back-pain/evidence"
    assert card["source"]["url"] == address
    (link,) = card["links"]
    assert link["label"] == "Evidence, limits and code sets"
    assert (link["url"], link["type"], link["autolaunchable"]) == (address, "absolute", False)
    assert problem("response", response.get_json()) is None


def test_a_card_of_a_service_that_does_not_know_its_address_names_the_guideline(tmp_path: Path) -> None:
    (card,) = client_in(tmp_path).post(PATH, json=CALL).get_json()["cards"]
    assert card["source"]["url"].startswith("https://www.nice.org.uk/")
    assert "links" not in card


def test_the_site_may_choose_the_address_behind_the_source(tmp_path: Path) -> None:
    own = "https://hospital.example.org/back-pain"
    client = client_in(tmp_path, base_url="https://cds.example.org", source_url=own)
    (card,) = client.post(PATH, json=CALL).get_json()["cards"]
    assert card["source"]["url"] == own


@pytest.mark.parametrize("name", ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "nothing.css"])
def test_static_files_come_from_their_own_folder_only(tmp_path: Path, name: str) -> None:
    assert client_in(tmp_path).get(f"/static/{name}").status_code == 404
