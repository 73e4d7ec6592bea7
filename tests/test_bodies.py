"""Bodies that are nearly JSON in UTF-8: what of them is read, and what is refused by name."""

from __future__ import annotations

import codecs
import gzip
import json
import math
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.app import make_app
from cds_service.errors import InvalidRequest, TooMuch, WrongMediaType
from cds_service.protocol.json_body import charset_of, decode
from cds_service.settings import Settings
from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, NOW, condition, day, observation, request, supplied

# A busy machine takes its time for an example.
untimed = settings(deadline=None)

Json = dict[str, Any]

PATH = "/cds-services/breast-cancer-back-pain-patient-view"
CANCER = condition(BREAST_CANCER, onset="2018")
PAIN = condition(LOW_BACK_PAIN, onset=day(6))
CALL = json.dumps(request("patient-view", supplied(CANCER, PAIN)))


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return make_app(Settings(), lambda: NOW).test_client()


# --- What is read


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (rb'{"a": "x \ud83d y"}', {"a": "x \ufffd y"}),
        (rb'{"a": "x \ude00\ud83d y"}', {"a": "x \ufffd\ufffd y"}),
        (rb'{"\ud83d": ["\udfff"]}', {"\ufffd": ["\ufffd"]}),
        (rb'{"a": "\ud83d\ude00", "b": "\ud83d"}', {"a": "\U0001f600", "b": "\ufffd"}),
        (b'{"a": "x \xed\xa0\xbd y"}', {"a": "x \ufffd y"}),
        (b'{"a": 1e400}', {"a": math.inf}),
        (b'{"a": -1e400, "b": 2}', {"a": -math.inf, "b": 2}),
        (b'{"a": ' + b"9" * 5_000 + b"}", {"a": math.inf}),
        (b'{"a": 123456789012345678901234567890}', {"a": 123456789012345678901234567890.0}),
        (codecs.BOM_UTF8 + b'{"a": 1}', {"a": 1}),
        (codecs.BOM_UTF8 + rb'{"a": "\ud83d", "b": 1e400}', {"a": "\ufffd", "b": math.inf}),
        (codecs.BOM_UTF16_LE + '{"a": "ä"}'.encode("utf-16-le"), {"a": "ä"}),
        (codecs.BOM_UTF16_BE + '{"a": "ä"}'.encode("utf-16-be"), {"a": "ä"}),
    ],
    ids=lambda part: repr(part)[:40],
)
def test_what_strict_parsers_refuse_is_read_where_its_meaning_is_plain(body: bytes, value: object) -> None:
    assert decode(body) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("utf-8", "ä€"), ("UTF8", "ä€"), ("us-ascii", "a"), ("ISO-8859-1", "ä"), ("latin1", "ä"),
        ("ISO-8859-15", "ä€"), ("windows-1252", "ä€"), ("UTF-16", "ä€"), ("utf-16le", "ä€"), ("utf-16be", "ä€"),
    ],
)  # fmt: skip
def test_a_character_set_is_honoured(name: str, text: str) -> None:
    charset = charset_of(name)
    assert decode(json.dumps({"a": text}, ensure_ascii=False).encode(charset), charset) == {"a": text}


@pytest.mark.parametrize(
    ("name", "said"),
    [("Shift_JIS", "shift_jis"), ("gb2312", "gb2312"), ("utf-32", "utf_32"), ("x-Marker-7351", "of the Content-Type")],
)
def test_a_character_set_that_is_not_read_is_refused_by_name(name: str, said: str) -> None:
    with pytest.raises(WrongMediaType) as caught:
        charset_of(name)
    assert caught.value.text == f"The charset {said} is not read; send the body in UTF-8."


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        (b'{"a": "\xff"}', "utf-8"),
        (b'{"a": "\xff"}', "ascii"),
        (b'{"a": "\x81"}', "cp1252"),
        (b'{"a": 1}x', "utf-16"),
        (rb'{"a": "\ud800", "b": NaN}', "utf-8"),
        (rb'{"a": "\ud800"', "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF8 + codecs.BOM_UTF8 + b"{}", "utf-8"),
        (b'["\\ud800", ' + b"[" * 5_000, "utf-8"),
    ],
    ids=lambda part: repr(part)[:40],
)
def test_what_is_no_json_is_still_refused(body: bytes, charset: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(body, charset)
    assert caught.value.text.startswith("body: must be")
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


# --- Over HTTP


def send(client: FlaskClient, body: bytes, **headers: str) -> tuple[int, Json]:
    made = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    answer = client.post(PATH, data=body, headers=made)
    return answer.status_code, answer.get_json()


@pytest.mark.parametrize(
    "body",
    [
        CALL.replace('"birthDate"', '"name": [{"family": "\\ud83d"}], "birthDate"').encode(),
        CALL.replace('"birthDate"', '"multipleBirthInteger": 1e400, "birthDate"').encode(),
        CALL.replace('"birthDate"', f'"multipleBirthInteger": {"9" * 5_000}, "birthDate"').encode(),
        codecs.BOM_UTF8 + CALL.encode(),
        codecs.BOM_UTF16_LE + CALL.encode("utf-16-le"),
    ],
    ids=["half a pair", "an endless number", "a long integer", "a byte order mark", "UTF-16"],
)
def test_one_odd_value_never_costs_the_patient_the_card(client: FlaskClient, body: bytes) -> None:
    status, answer = send(client, body)
    assert (status, len(answer["cards"])) == (200, 1)


def test_a_number_that_cannot_be_kept_is_unread_and_the_rest_counts(client: FlaskClient) -> None:
    score = observation("loinc 72514-3", day(3), valueQuantity={"value": 0, "unit": "{score}"})
    body = json.dumps(request("patient-view", supplied(CANCER, PAIN, score))).replace('"value": 0', '"value": 1e400')
    status, answer = send(client, body.encode())
    assert status == 200
    assert "unreadable chart entries: 1" in answer["cards"][0]["detail"].lower()


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"', "iso-8859-1", "windows-1252"])
def test_the_character_set_of_the_header_is_honoured(client: FlaskClient, charset: str) -> None:
    body = CALL.replace('"birthDate"', '"name": [{"family": "Bäcker"}], "birthDate"')
    assert send(client, body.encode(charset.strip('"')), Content_Type=f"application/json; charset={charset}")[0] == 200


def test_another_character_set_is_refused_by_name(client: FlaskClient) -> None:
    status, answer = send(client, CALL.encode(), Content_Type="application/json; charset=big5")
    assert (status, answer["issue"][0]["code"]) == (415, "not-supported")
    assert "charset big5 is not read" in answer["issue"][0]["details"]["text"]


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "deflate", "br", "zstd", "gzip, identity", "Marker-7351"])
def test_a_compressed_body_is_refused_and_told_so(client: FlaskClient, coding: str) -> None:
    status, answer = send(client, gzip.compress(CALL.encode()), Content_Encoding=coding)
    assert status == 415
    assert client.post(PATH, data=b"", headers={"Content-Type": "text/csv"}).headers["Accept-Encoding"] == "identity"
    text = answer["issue"][0]["details"]["text"]
    assert "compressed" in text and "Content-Encoding" in text and "Marker-7351" not in text


@pytest.mark.parametrize("coding", ["", "identity", "Identity "])
def test_a_body_that_says_that_it_is_not_compressed_is_read(client: FlaskClient, coding: str) -> None:
    assert send(client, CALL.encode(), Content_Encoding=coding)[0] == 200


def test_a_compressed_body_that_does_not_say_so_is_no_json(client: FlaskClient) -> None:
    assert send(client, gzip.compress(CALL.encode()))[0] == 400


# --- What is large

LARGE = b",".join([b'{"value":[1.5]}'] * 80_000)


def test_half_a_character_hides_no_large_chart() -> None:
    found = decode(rb'["\ud83d","\\ud83d","\ud83d\ude00",%s]' % LARGE)
    assert isinstance(found, list)
    assert found[:3] == ["\ufffd", r"\ud83d", "\U0001f600"]
    assert len(found) == 80_003


def test_a_byte_order_mark_hides_no_large_chart() -> None:
    assert decode(codecs.BOM_UTF8 + b"[%s]" % LARGE) == [{"value": [1.5]}] * 80_000


def test_what_the_slow_parser_alone_reads_is_refused_where_it_is_large() -> None:
    with pytest.raises(TooMuch, match="a number beyond all bounds"):
        decode(b"[1e400,%s]" % LARGE)
    with pytest.raises(TooMuch):
        decode(b"[%s]" % LARGE, "latin-1")


def test_a_large_body_that_is_no_json_is_told_as_such() -> None:
    with pytest.raises(InvalidRequest, match="must be valid JSON"):
        decode(b"[%s,NaN]" % LARGE)


# --- No body is a fault of ours

PIECES = [rb"\ud83d", b"1e400", b"9" * 400, codecs.BOM_UTF8, b"\x00", b"\xff", b"null", b"[[", b'"', b"{}", b"\\u"]


@untimed
@given(
    place=st.integers(0, len(CALL)),
    cut=st.integers(0, 40),
    piece=st.sampled_from(PIECES) | st.binary(max_size=8),
    encoding=st.sampled_from(["", "charset=utf-16", "charset=latin1", "charset=nonsense", "charset="]),
)
def test_no_body_makes_the_service_fail(client: FlaskClient, place: int, cut: int, piece: bytes, encoding: str) -> None:
    body = CALL.encode()
    changed = body[:place] + piece + body[place + cut :]
    assert send(client, changed, Content_Type=f"application/json; {encoding}")[0] < 500


# Values that stand for the kinds of things that a member may hold.
VALUES: list[object] = [
    None,
    True,
    0,
    -1,
    1e308,
    math.inf,
    10**30,
    "",
    " ",
    "x",
    "\ufffd",
    [],
    {},
    [[]],
    [{}],
    {"a": {}},
    ["x"] * 3,
]


@untimed
@given(path=st.lists(st.integers(0, 30), min_size=1, max_size=7), value=st.sampled_from(VALUES))
def test_no_value_of_any_member_makes_the_service_fail(client: FlaskClient, path: list[int], value: object) -> None:
    document: Any = json.loads(CALL)
    holder = document
    for step in path[:-1]:
        inner = list(holder.values()) if isinstance(holder, dict) else list(holder)
        inner = [item for item in inner if isinstance(item, dict | list) and item]
        if not inner:
            break
        holder = inner[step % len(inner)]
    places = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    holder[places[path[-1] % len(places)]] = value
    text = json.dumps(document).replace("Infinity", "1e400")
    assert send(client, text.encode())[0] < 500
