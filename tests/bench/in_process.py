"""(a) In process: a call from bytes to bytes, without a server, beside `orjson.loads` of the same bytes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import orjson

from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import DecisionSupport
from cds_service.protocol.json_body import decode_call
from cds_service.settings import Settings
from tests.bench.charts import SIZES, hook_call
from tests.bench.figures import Effort, Figure, Part, cpu_ms, interleaved
from tests.builders import SERVICES

SERVICE = SERVICES["breast-cancer-back-pain-patient-view"]

TITLE = "In process"
_TEXT = (
    "From the bytes of a call to those of its response, without server, ledger and log: decoded, read, decided, card"
    " written. Beside it `orjson.loads` of the same bytes. *Silent*: a patient without breast cancer; *firing*: one"
    " with breast cancer and new low back pain, who gets a card."
)

# So many resources are read for one value of a round: enough to be far above the resolution of the clock.
_RESOURCES = 2500


def respond(support: DecisionSupport, body: bytes, now: datetime) -> bytes:
    """The response to a call, as bytes."""
    decision = support.decide(HookCall(SERVICE, now), decode_call(body))
    return orjson.dumps(decision.response_or_error())


def measure(effort: Effort) -> Part:
    """The cost of a call at each size, silent and firing."""
    support, now = DecisionSupport(Settings()), datetime.now(UTC)
    each = replace(effort, seconds=effort.seconds / (2 * len(SIZES)))
    figures = []
    for size in SIZES:
        for firing in (False, True):
            body = hook_call(size, firing, now)
            cards = orjson.loads(respond(support, body, now))["cards"]
            assert len(cards) == firing, "the chart is not what it should be"
            times = effort.calls(max(1, _RESOURCES // size)) if size < _RESOURCES else 1
            call = cpu_ms(lambda body=body: respond(support, body, now), times)  # type: ignore[misc]
            loads = cpu_ms(lambda body=body: orjson.loads(body), times)  # type: ignore[misc]
            kind = "firing" if firing else "silent"
            what = f"a call of {size:,} resources ({len(body) / 1000:,.0f} kB), {kind}"
            ours, theirs = interleaved(each, (call, loads))
            figures.append(Figure(f"in-process {size} {kind}", what, "orjson.loads", ours, theirs))
    return Part(TITLE, _TEXT, figures)
