"""The dashboard names what exists, and Prometheus' own checks take rules, configuration and cases."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from cds_service.app import make_app
from cds_service.settings import make_settings
from tests.promql import Expression
from tests.skips import NO_PROMTOOL
from tests.test_alerts import ALERTS, labels_of_each_series

ROOT = Path(__file__).parents[1]
DASHBOARD = json.loads((ROOT / "deploy" / "monitoring" / "grafana-dashboard.json").read_text(encoding="utf-8"))

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason=NO_PROMTOOL)


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> Iterator[tuple[str, str, str]]:
    """Title, expression and legend of every query."""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"], target["legendFormat"]


every_query = pytest.mark.parametrize(("title", "text", "legend"), list(queries()))


@every_query
def test_a_query_names_series_and_labels_that_exist(title: str, text: str, legend: str) -> None:
    labels = labels_of_each_series()
    expression = Expression(text.replace("$service", ".*"))
    assert expression.selectors
    for selector in expression.selectors:
        assert {label for label, _, _ in selector.matchers} <= labels[selector.name]
    grouped = {label.strip() for group in re.findall(r"by \(([^)]*)\)", text) for label in group.split(",")}
    assert grouped <= set().union(*(labels[selector.name] for selector in expression.selectors))
    assert set(re.findall(r"\{\{(\w+)\}\}", legend)) == grouped - {"le"}


def test_every_metric_of_the_service_is_on_the_dashboard(tmp_path: Path) -> None:
    client = make_app(make_settings({"data_folder": str(tmp_path)})).test_client()
    exposed = set(re.findall(r"^# TYPE (cds_\w+)", client.get("/metrics").get_data(as_text=True), re.M))
    shown = {
        selector.name.removesuffix("_bucket") for _, text, _ in queries() for selector in Expression(text).selectors
    }
    assert shown == {name for name in exposed if not name.endswith("_created")}


def test_every_panel_says_what_it_shows_and_none_covers_another() -> None:
    assert all(panel["title"] and panel["targets"] for panel in panels())
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and max(x for x, _ in cells) < 24
        taken |= cells


def test_the_dashboard_asks_for_its_source_and_knows_no_site() -> None:
    assert {panel["datasource"]["uid"] for panel in panels()} == {"${datasource}"}
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["datasource", "service"]
    assert "id" not in DASHBOARD


@needs_promtool
def test_prometheus_reads_every_query_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:query:{number}", "expr": text.replace("$service", ".*")}
        for number, (_, text, _) in enumerate(queries())
    ]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", str(file))


@needs_promtool
def test_prometheus_takes_rules_and_configuration(tmp_path: Path) -> None:
    shutil.copy(ROOT / "deploy" / "monitoring" / "prometheus.yml", tmp_path)
    copy_rules(tmp_path)
    said = promtool("check", "config", str(tmp_path / "prometheus.yml"))
    assert f"{sum(len(group['rules']) for group in ALERTS['groups'])} rules found" in said


@needs_promtool
def test_alerts_fire_when_they_should_and_not_before(tmp_path: Path) -> None:
    if "version 2." not in promtool("--version"):
        pytest.skip(f"{NO_PROMTOOL}: the figures of the cases are those of Prometheus 2")
    shutil.copy(ROOT / "tests" / "alert_cases.yml", tmp_path)
    copy_rules(tmp_path)
    promtool("test", "rules", str(tmp_path / "alert_cases.yml"))


def copy_rules(folder: Path) -> None:
    rules = files("cds_service.reporting").joinpath("alerts.yml").read_text(encoding="utf-8")
    (folder / "alerts.yml").write_text(rules, encoding="utf-8")


def promtool(*arguments: str) -> str:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
