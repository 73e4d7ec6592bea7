"""The figures of a run: for the terminal, and in `docs/reliability.md` between its markers."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

from tests.chaos.campaign import Campaign
from tests.chaos.traffic import FEEDBACK_KIND, LOST
from tests.chaos.verdict import by_kind, complaints, lost_feedback

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"


def machine() -> str:
    """When and where, in few words."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.system()}, {psutil.cpu_count()} processors, {memory:.0f} GiB,"
        f" Python {platform.python_version()}"
    )


def chaos_text(campaigns: Sequence[Campaign]) -> str:
    """All figures as Markdown."""
    return "\n".join([f"Run on {machine()}.", "", *(line for each in campaigns for line in _of(each))]).rstrip()


def _of(campaign: Campaign) -> Iterator[str]:
    kept = len(campaign.record.acknowledged) - len(lost_feedback(campaign))
    yield f"**{campaign.database.name}**, {campaign.seconds:.0f} s, two workers"
    yield ""
    yield "| Asked | Times | Answered | Longest wait |"
    yield "|---|---|---|---|"
    for kind, answers in sorted(by_kind(campaign).items()):
        counted = Counter("lost" if each.status == LOST else str(each.status) for each in answers)
        statuses = ", ".join(f"{status}: {count:,}" for status, count in sorted(counted.items()))
        yield f"| {kind} | {len(answers):,} | {statuses} | {max(each.seconds for each in answers):.2f} s |"
    yield ""
    yield "| Disturbance | Times | Feedback stored and refused meanwhile | Stored again after, at most |"
    yield "|---|---|---|---|"
    for name in dict.fromkeys(step.name for step in campaign.steps):
        yield _disturbance(campaign, name)
    yield ""
    yield (
        f"Feedback acknowledged: {len(campaign.record.acknowledged):,} cards, of which {kept:,} were found in the"
        f" ledger. Workers killed: {len(campaign.kills)}, started again: {len(campaign.ended)}. Modes switched:"
        f" {campaign.switched}." + (f" {campaign.database.skipped}." if campaign.database.skipped else "")
    )
    yield ""
    found = list(complaints(campaign))
    yield "Everything held." if not found else "**What did not hold:**"
    yield ""
    if found:
        yield from (f"- {complaint}" for complaint in found)
        yield ""


def _disturbance(campaign: Campaign, name: str) -> str:
    steps = [step for step in campaign.steps if step.name == name]
    during = [
        each
        for each in campaign.record.answers
        if each.kind == FEEDBACK_KIND and any(step.began < each.began < step.ended for step in steps)
    ]
    stored = sum(each.status == 200 for each in during)
    times = [step.recovered for step in steps]
    known = [seconds for seconds in times if seconds is not None]
    after = f"{max(known):.1f} s" if len(known) == len(times) else "never"
    return f"| {name} | {len(steps)} | {stored:,} and {len(during) - stored:,} | {after} |"


def write(section: str, text: str, page: Path = PAGE) -> None:
    """Put a text between the markers of a section of the page."""
    content = page.read_text(encoding="utf-8")
    head, begin, rest = content.partition(f"<!-- figures of {section} -->\n")
    _, end, tail = rest.partition(f"<!-- end of the figures of {section} -->")
    if not (begin and end):
        raise ValueError(f"{page.name} has no section {section}")
    page.write_text(f"{head}{begin}{text}\n{end}{tail}", encoding="utf-8")
