"""Read `replay.toml`: what a replay calls the things that it follows, and what others published."""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.content.files import ContentFiles

_NAME = "replay"


@dataclass(frozen=True, slots=True)
class ReplayWords:
    """What is followed, as it is called in the middle of a sentence; `place` heads a column."""

    history: str = "the history that is asked for"
    complaint: str = "the complaint"
    imaging: str = "imaging"
    disease: str = "the disease"
    place: str = "Place"


@dataclass(frozen=True, slots=True)
class PublishedFigure:
    """One figure with its source.

    Attributes:
        beside: what of a replay it stands beside: `rate`, `yield` or `time`.
        value, low, high: in `unit` (`%` or `days`); an interval only where the source gives one.
    """

    id: str
    beside: str
    text: str
    value: float
    unit: str
    source: str
    url: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class ReplayContent:
    """What the content says for a replay."""

    words: ReplayWords = ReplayWords()
    figures: tuple[PublishedFigure, ...] = ()


def read_replay(files: ContentFiles) -> ReplayContent:
    """The words and figures; general words where the rule has no such file.

    Raises:
        ContentError: the file cannot be used. An id that stands there twice is collected in `files`.
    """
    if not (files.shared / files.own(_NAME)).exists():
        return ReplayContent()
    data = files.read_own(_NAME)
    figures = tuple(PublishedFigure(**figure) for figure in data["figure"])
    ids = [figure.id for figure in figures]
    if twice := next((item for item in ids if ids.count(item) > 1), None):
        files.refuse(files.own(_NAME), "figure.id", f"'{twice}' stands there twice")
    return ReplayContent(ReplayWords(**data["words"]), figures)
