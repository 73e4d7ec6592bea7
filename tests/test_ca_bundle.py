"""A hospital's own certificate authority: FHIR servers and key servers behind it are trusted where the settings say so.

The authority, its certificate and the server behind it are made by the test.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from cds_service.chart.records import Gap
from cds_service.ehr.limits import FhirLimits
from cds_service.ehr.reader import FhirReader
from cds_service.settings import SettingsError, make_settings
from cds_service.trust.keys import fetch_body

PATIENT = {"resourceType": "Patient", "id": "pt-1"}


def certificate(folder: Path) -> Path:
    """A PEM file with a certificate for 127.0.0.1 that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority of the tests")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = folder / "authority.pem"
    file.write_bytes(made.public_bytes(Encoding.PEM) + secret)
    return file


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(PATIENT).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return certificate(tmp_path)


@pytest.fixture
def address(bundle: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("trusted", "gap"), [(True, None), (False, Gap.UNREACHABLE)])
def test_a_fhir_server_is_read_only_behind_an_authority_that_is_trusted(
    address: str, bundle: Path, trusted: bool, gap: Gap | None
) -> None:
    limits = FhirLimits(ca_bundle=str(bundle) if trusted else None)
    found = FhirReader(address, "", limits).fetch({"patient": "Patient/pt-1"})["patient"]
    assert found.gap is gap
    assert bool(found.resources) is trusted


def test_a_key_server_is_read_only_behind_an_authority_that_is_trusted(address: str, bundle: Path) -> None:
    assert json.loads(fetch_body(address, 5, str(bundle))) == PATIENT
    with pytest.raises(requests.exceptions.SSLError):
        fetch_body(address, 5)


def test_the_setting_reaches_the_reader(bundle: Path) -> None:
    assert make_settings({"ca_bundle": str(bundle)}).fhir_limits().ca_bundle == str(bundle)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_that_holds_no_authority_stops_the_start(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "other.pem"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match="ca_bundle"):
        make_settings({"ca_bundle": str(file)})
