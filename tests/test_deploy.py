"""deploy/ and compose.yaml fit the service and the image, and the programs that read them accept them."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cds_service.app import make_app
from cds_service.cli.main import main
from cds_service.settings import Settings, make_settings
from tests.skips import NO_NGINX, NO_SYSTEMD

ROOT = Path(__file__).parents[1]
UNIT = ROOT / "deploy" / "systemd" / "cds-service.service"
NGINX = ROOT / "deploy" / "nginx" / "cds-service.conf"
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
MANIFESTS: list[dict[str, Any]] = list(
    yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "cds-service.yaml").read_text(encoding="utf-8"))
)
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")

# What the image runs as, and what of it can be written.
USER = 10001
WRITTEN = {"/tmp", "/var/lib/cds-service"}


def manifest(kind: str) -> dict[str, Any]:
    (found,) = (item for item in MANIFESTS if item["kind"] == kind)
    return found


def pod(kind: str) -> dict[str, Any]:
    spec = manifest(kind)["spec"]
    template: dict[str, Any] = (spec["jobTemplate"]["spec"] if kind == "CronJob" else spec)["template"]
    return template


def parsed(arguments: list[str]) -> dict[str, Any]:
    """What the command line reads of these arguments before it acts; a UsageError where it does not know them."""
    name, *rest = arguments
    return main.commands[name].make_context(name, rest).params


def told_settings() -> Iterator[str]:
    """The variables of settings that any of these files sets."""
    for text in (UNIT.read_text(encoding="utf-8"), DOCKERFILE):
        yield from re.findall(r"\bCDS_[A-Z_]+", text)
    for service in COMPOSE["services"].values():
        yield from (name for name in service.get("environment", {}) if name.startswith("CDS_"))
    yield from manifest("Secret")["stringData"]


# --- All of them ---


def test_every_setting_they_name_exists() -> None:
    names = {name.removeprefix("CDS_").lower() for name in told_settings()}
    assert names - {"config"} <= set(Settings.model_fields)
    assert {"pseudonym_key", "ledger_url", "data_folder"} <= names


@pytest.mark.parametrize(
    "arguments",
    [
        re.findall(r"ExecStart=\S+ (.+)", UNIT.read_text(encoding="utf-8"))[0].split(),
        *(service["command"] for service in COMPOSE["services"].values() if "command" in service),
        *(pod(kind)["spec"]["containers"][0]["args"] for kind in ("Deployment", "CronJob")),
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_command_they_start_is_understood(arguments: list[str]) -> None:
    name, *_ = arguments
    assert parsed(arguments).keys() >= ({"host", "port", "workers"} if name == "serve" else set())


# --- systemd ---


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that exists here, since its own is installed elsewhere."""
    copy = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.M), encoding="utf-8")
    if shutil.which("systemd-analyze") is None:
        pytest.skip(NO_SYSTEMD)
    return copy


def test_systemd_finds_no_fault_in_the_unit(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_systemd_rates_the_units_exposure_as_low(unit: Path) -> None:
    # Of 10; what is left is that it uses the network and the machine's files. An ordinary service has 9.6.
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True)
    if "unrecognized option" in done.stderr:
        pytest.skip(NO_SYSTEMD)
    assert done.returncode == 0, done.stdout[-200:]


def test_the_unit_gives_the_service_the_time_that_it_takes_to_stop() -> None:
    text = UNIT.read_text(encoding="utf-8")
    assert "TimeoutStopSec=30" in text and "Restart=always" in text
    assert "StateDirectory=cds-service" in text and "CDS_DATA_FOLDER=/var/lib/cds-service" in text


# --- nginx ---


@pytest.mark.skipif(shutil.which("nginx") is None, reason=NO_NGINX)
def test_nginx_takes_the_configuration(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    text = NGINX.read_text(encoding="utf-8")
    text = re.sub(r"ssl_certificate \S+;", f"ssl_certificate {certificate};", text)
    text = re.sub(r"ssl_certificate_key \S+;", f"ssl_certificate_key {key};", text)
    whole = tmp_path / "nginx.conf"
    whole.write_text(f"pid {tmp_path}/pid; error_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{text}\n}}\n")
    done = subprocess.run(["nginx", "-t", "-p", tmp_path, "-c", whole], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate that nobody trusts, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cds.hospital.example.org")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


def test_nginx_bounds_what_the_settings_bound() -> None:
    text = NGINX.read_text(encoding="utf-8")
    (mebibytes,) = re.findall(r"client_max_body_size (\d+)m;", text)
    assert int(mebibytes) * 1024 * 1024 >= Settings().max_body_bytes > (int(mebibytes) - 1) * 1024 * 1024
    (seconds,) = re.findall(r"proxy_read_timeout (\d+)s;", text)
    assert float(seconds) > 2 * Settings().call_seconds
    assert re.search(r"ssl_protocols TLSv1\.2 TLSv1\.3;", text)


def test_nginx_keeps_health_and_metrics_inside() -> None:
    (pattern,) = re.findall(r"location ~ (\S+) \{\s+return 404;", NGINX.read_text(encoding="utf-8"))
    inside = {path for path in routes() if re.search(pattern, path)}
    assert inside == {"/health/live", "/health/ready", "/metrics"}


def routes() -> set[str]:
    return {rule.rule for rule in make_app(make_settings({})).url_map.iter_rules()}


# --- Kubernetes ---


@pytest.mark.parametrize("kind", ["Deployment", "CronJob"])
def test_a_pod_runs_without_rights_and_with_a_root_that_cannot_be_written(kind: str) -> None:
    spec = pod(kind)["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"] == USER
    assert spec["automountServiceAccountToken"] is False
    own = container["securityContext"]
    assert own["readOnlyRootFilesystem"] and not own["allowPrivilegeEscalation"]
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert {"cpu", "memory"} <= set(container["resources"]["limits"])
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    for mount in container["volumeMounts"]:
        # What can be written is bounded.
        assert mount.get("readOnly") or volumes[mount["name"]]["emptyDir"]["sizeLimit"]
    assert {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")} <= WRITTEN
    assert f"--uid {USER}" in DOCKERFILE


def test_the_probes_ask_what_the_service_answers() -> None:
    (container,) = pod("Deployment")["spec"]["containers"]
    paths = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert set(paths.values()) <= routes()
    # A pod whose ledger is down is not killed, since cards still go out.
    assert paths["livenessProbe"] == "/health/live" and paths["readinessProbe"] == "/health/ready"
    assert container["ports"][0]["containerPort"] == int(container["args"][container["args"].index("--port") + 1])


def test_a_pod_gets_the_time_that_it_takes_to_stop() -> None:
    spec = pod("Deployment")["spec"]
    pause = int(spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert spec["terminationGracePeriodSeconds"] >= 30 + pause


def test_selectors_choose_the_servers_and_nothing_else() -> None:
    servers, others = pod("Deployment")["metadata"]["labels"], pod("CronJob")["metadata"]["labels"]
    selectors = [
        manifest("Deployment")["spec"]["selector"]["matchLabels"],
        manifest("Service")["spec"]["selector"],
        manifest("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ]
    for selector in selectors:
        assert selector.items() <= servers.items() and not selector.items() <= others.items()
    assert manifest("PodDisruptionBudget")["spec"]["minAvailable"] < manifest("Deployment")["spec"]["replicas"]


def test_the_secrets_hold_nothing_that_could_be_taken_for_one() -> None:
    assert set(manifest("Secret")["stringData"].values()) == {"REPLACE"}
    assert {
        source["secretRef"]["name"]
        for kind in ("Deployment", "CronJob")
        for source in pod(kind)["spec"]["containers"][0]["envFrom"]
    } == {manifest("Secret")["metadata"]["name"]}


def test_the_settings_of_the_example_can_be_used() -> None:
    settings = make_settings(tomllib.loads(manifest("ConfigMap")["data"]["cds.toml"]))
    assert settings.clients and settings.modes[0].mode == "silent"


# --- Compose ---


@pytest.mark.parametrize("name", ["cds", "fhir"])
def test_a_container_of_ours_runs_without_rights_and_with_a_root_that_cannot_be_written(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    mounted = {volume.partition(":")[2] for volume in service.get("volumes", ())} | set(service["tmpfs"])
    assert "/tmp" in mounted <= WRITTEN


def test_the_demo_is_open_on_this_machine_alone() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)


def test_the_demos_fhir_server_is_built_with_a_lock_that_exists_and_read_where_it_listens() -> None:
    fhir, cds = COMPOSE["services"]["fhir"], COMPOSE["services"]["cds"]
    assert (ROOT / fhir["build"]["args"]["LOCK"]).is_file()
    port = fhir["command"][fhir["command"].index("--fhir-port") + 1]
    settings = make_settings({"fhir_servers": yaml.safe_load(cds["environment"]["CDS_FHIR_SERVERS"])})
    # http is allowed on loopback alone: the two share one network.
    assert settings.fhir_servers == (f"http://127.0.0.1:{port}/fhir",)
    assert fhir["network_mode"] == "service:cds"


def test_no_secret_stands_in_the_file() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    given = [value for name, value in COMPOSE["services"]["cds"]["environment"].items() if name != "CDS_FHIR_SERVERS"]
    assert all(":?" in value for value in given)
    assert "PASSWORD: ${POSTGRES_PASSWORD:?" in text
