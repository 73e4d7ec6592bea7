"""What must hold in a campaign, and what did not."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from uuid import UUID

from sqlalchemy import create_engine, select

from cds_service.ledger.tables import feedback
from tests.chaos.campaign import CALL_SECONDS, RECOVERY_SECONDS, Campaign
from tests.chaos.traffic import CALLS, FEEDBACK_KIND, LIVE, LOST, READY, Answer

# What a call may take beyond `call_seconds`: to be received, sent and read, on a machine that is busy with all this.
MARGIN_SECONDS = 2.0

# An orchestrator gives a probe a second or more, and asks three times.
LIVE_SECONDS = 2.0

# So long after a worker was killed its connections may turn out to be lost.
_LOST_SECONDS = 1.0

# So long after something went wrong readiness may not know it: the time of a try, and of looking again.
_UNNOTICED_SECONDS = 5.0

# What a call may be answered. Without a ledger feedback cannot be acknowledged; cards do not need it.
_EXPECTED: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(CALLS, (200,)),
    # Switched off, the service reads no body.
    "malformed": (400, 200),
    FEEDBACK_KIND: (200, 503),
    LIVE: (200,),
    f"{LIVE}, again": (200,),
    READY: (200,),
}


def lost_feedback(campaign: Campaign) -> list[UUID]:
    """The cards of feedback that was acknowledged and stands in no ledger in which it could be."""
    places = campaign.database.places
    stored = {url: _cards(url) for url in {places.now, *(swap.aside for swap in places.swaps)}}
    return [
        each.card
        for each in campaign.record.acknowledged
        if not any(each.card in stored[url] for url in places.of(each.began, each.answered))
    ]


def complaints(campaign: Campaign) -> Iterator[str]:
    """What did not hold, in sentences."""
    record = campaign.record
    if lost := lost_feedback(campaign):
        yield f"{len(lost)} of {len(record.acknowledged)} acknowledged feedbacks are lost"
    for kind, answers in by_kind(campaign).items():
        bound = LIVE_SECONDS if kind.startswith(LIVE) else CALL_SECONDS + MARGIN_SECONDS
        if late := [each for each in answers if each.seconds > bound]:
            longest = max(late, key=lambda each: each.seconds)
            yield (
                f"{kind}: {len(late)} took longer than {bound:g} s, the longest {longest.seconds:.1f} s"
                f" ({_during(campaign, longest)})"
            )
        expected = _EXPECTED.get(kind, (200,))
        wrong = [each for each in answers if each.status != LOST and each.status not in expected]
        if wrong:
            counted = Counter((each.status, _during(campaign, each)) for each in wrong)
            yield f"{kind}: " + ", ".join(
                f"{count} answered {status} ({when})" for (status, when), count in counted.items()
            )
        if silent := [each for each in answers if each.status == LOST and not _was_killed(campaign, each)]:
            yield f"{kind}: {len(silent)} connections lost while no worker was killed ({_during(campaign, silent[0])})"
    yield from _of_probes(campaign)
    yield from _of_steps(campaign)
    if campaign.ended != [-signal.SIGKILL] * len(campaign.kills):
        others = sorted({status for status in campaign.ended if status != -signal.SIGKILL})
        yield (
            f"{len(campaign.kills)} workers were killed, and {len(campaign.ended)} ended unexpectedly"
            + (f" (status {', '.join(map(str, others))})" if others else "")
        )
    if campaign.status != 0:
        yield f"the service ended with status {campaign.status} when it was told to stop"
    for word in ("refused to gracefully stop", "Traceback", "Fatal Python error"):
        if word in campaign.errors:
            yield f"standard error has '{word}'"


def by_kind(campaign: Campaign) -> dict[str, list[Answer]]:
    """All answers by what was asked."""
    found: dict[str, list[Answer]] = {}
    for answer in campaign.record.answers:
        found.setdefault(answer.kind, []).append(answer)
    return found


def _of_probes(campaign: Campaign) -> Iterator[str]:
    missed = [each for each in campaign.record.answers if each.kind == f"{LIVE}, again" and each.status == LOST]
    if missed:
        yield f"liveness was missed twice in a row, {len(missed)} times"


def _of_steps(campaign: Campaign) -> Iterator[str]:
    for step in campaign.steps:
        if step.recovered is None:
            yield f"{step.name}: feedback was not stored within {RECOVERY_SECONDS:g} s after its end"
        during = [each for each in campaign.record.answers if step.began < each.began and _end(each) < step.ended]
        tried = [each for each in during if each.kind == FEEDBACK_KIND and each.status != LOST]
        unknown = [
            told
            for at, told in campaign.record.ledger
            if step.began + _UNNOTICED_SECONDS < at < step.ended and told == "ok"
        ]
        if tried and unknown and all(each.status != 200 for each in tried):
            yield f"{step.name}: no feedback could be stored, and readiness said {len(unknown)} times 'ledger: ok'"


def _end(answer: Answer) -> float:
    return answer.began + answer.seconds


def _was_killed(campaign: Campaign, answer: Answer) -> bool:
    """Whether a worker was killed while this was asked."""
    return any(answer.began - _LOST_SECONDS < kill < _end(answer) + _LOST_SECONDS for kill in campaign.kills)


def _during(campaign: Campaign, answer: Answer) -> str:
    """What was wrong then."""
    for step in campaign.steps:
        if step.began < _end(answer) and answer.began < step.ended:
            return step.name
    return "between disturbances"


def _cards(url: str) -> set[UUID]:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            return set(connection.execute(select(feedback.c.card_id)).scalars())
    finally:
        engine.dispose()
