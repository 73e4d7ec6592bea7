"""A card's Markdown in the workbench: rendered as an EHR does, and harmless whatever it holds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from cds_service.workbench.detail import detail_html
from tests.workbench import workbench_app


@pytest.fixture(scope="module")
def workbench() -> Iterator[FlaskClient]:
    with workbench_app().test_client() as client:
        yield client


def test_a_card_is_rendered_with_emphasis_lists_and_tables(workbench: FlaskClient) -> None:
    response = workbench.post("/workbench/detail", json={"detail": "**Why**\n- one\n\n|a|b|\n|-|-|\n|1|2|"})
    html = response.get_json()["html"]
    assert "<strong>Why</strong>" in html and "<li>one</li>" in html and "<td>1</td>" in html


def test_html_in_a_card_is_shown_as_it_is_written() -> None:
    html = detail_html('<script>alert(1)</script> and <img src="https://example.org/x.png" onerror="x()">')
    assert "<script" not in html and "<img" not in html and "&lt;script&gt;" in html


def test_no_image_is_fetched_and_no_script_is_linked() -> None:
    html = detail_html("![a](https://example.org/x.png) [b](javascript:alert(1))")
    assert "<img" not in html and 'href="javascript' not in html


def test_no_line_ends_within_a_date_and_a_link_with_one_stays_whole() -> None:
    assert 'onset <span class="date">2026-11-23</span>, 5 days' in detail_html("onset 2026-11-23, 5 days ago")
    assert '<span class="date">2026-11</span>' in detail_html("onset 2026-11")
    assert 'href="https://example.org/2026-11-23"' in detail_html("[report](https://example.org/2026-11-23)")
    assert "<code>2026-11-23</code>" in detail_html("`2026-11-23`")


def test_a_link_opens_beside_the_chart_and_tells_nothing() -> None:
    html = detail_html("[NICE](https://www.nice.org.uk)")
    assert 'target="_blank"' in html and 'rel="noopener noreferrer"' in html


def test_a_detail_that_is_no_text_is_refused(workbench: FlaskClient) -> None:
    bodies: tuple[object, ...] = ({"detail": 1}, {}, [])
    for body in bodies:
        response = workbench.post("/workbench/detail", json=body)
        assert response.status_code == 400
        assert response.get_json()["issue"][0]["details"]["text"] == "detail: must be a text"
