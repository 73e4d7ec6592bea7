"""The timeline as a picture: SVG that fits any width.

Positions along the time axis are percentages, heights and type are pixels: the picture is as wide as its place and its
words never shrink. It carries classes only; colors, light and dark, are in `static/workbench.css`. Built as a tree, so
that no word of a chart can become markup.
"""

from __future__ import annotations

from datetime import date
from xml.etree.ElementTree import Element, SubElement, tostring

from cds_service.clinical.rules.timeline import Entry, Row, Timeline, grouped, undated
from cds_service.workbench.scale import TimeScale

# Heights in pixels, for type of 12 pixels.
_WINDOW_HEIGHT = 24
_TITLE_HEIGHT = 26
_LABEL_HEIGHT = 16
_TRACK_HEIGHT = 16
_AXIS_HEIGHT = 24
_MARK = 5
_GAP = 4

# So many characters fit on a line, words and date together, where there is room (480 pixels) and on a narrow panel
# (280 pixels). Both are drawn, and the style sheet shows the one that fits; the table has every word.
_ROOMY, _TIGHT = 70, 40
_SHORTEST_LABEL = 12
# A line without a date has room for some more.
_DATE = 6

# Nearer to the left edge a tick's name would be cut; nearer to the right edge it would run into the day's date.
_FIRST_TICK, _LAST_TICK = 6.0, 82.0

# So far apart, names of ticks do not touch on the narrowest picture that shows all of them (464 pixels).
_BETWEEN_TICKS = 11.0


def picture(timeline: Timeline) -> str:
    """The timeline as an SVG element without a size: it takes the width of its place."""
    scale = TimeScale.reaching(timeline.today, timeline.oldest)
    root = Element("svg", {"class": "timeline", "role": "img", "aria-label": _description(timeline)})
    bands = SubElement(root, "g", {"class": "bands"})
    y = _windows(root, timeline, scale)
    top = y
    for row in timeline.rows:
        y = _row(root, row, scale, y)
    _bands(bands, timeline, scale, top, y)
    _axis(root, scale, y)
    root.set("height", str(y + _AXIS_HEIGHT))
    return tostring(root, encoding="unicode")


def _description(timeline: Timeline) -> str:
    counts = ", ".join(f"{row.title.lower()}: {len(row.entries) or 'nothing that counts'}" for row in timeline.rows)
    return f"Timeline of the chart up to {timeline.today}. {counts}. The table below has every entry."


def _windows(root: Element, timeline: Timeline, scale: TimeScale) -> int:
    """Both windows as brackets above everything, each on a line of its own; returns the height taken."""
    for line, (window, kind) in enumerate(((timeline.new, "new"), (timeline.clean, "clean"))):
        y = line * _WINDOW_HEIGHT
        left, right = scale.position(window.first), scale.position(window.last)
        _text(root, right, y + 12, window.name, f"window-name {kind}", "end")
        attributes = {"class": f"window {kind}", "y": str(y + 16), "height": "4"}
        SubElement(root, "rect", attributes | _extent(left, right))
    return 2 * _WINDOW_HEIGHT + 2


def _bands(group: Element, timeline: Timeline, scale: TimeScale, top: int, bottom: int) -> None:
    """The windows as light bands behind the rows."""
    for window, kind in ((timeline.clean, "clean"), (timeline.new, "new")):
        left, right = scale.position(window.first), scale.position(window.last)
        attributes = {"class": f"band {kind}", "y": str(top), "height": str(bottom - top)}
        SubElement(group, "rect", attributes | _extent(left, right))
    for position, _ in scale.ticks():
        at = _percent(position)
        SubElement(group, "line", {"class": "grid", "x1": at, "x2": at, "y1": str(top), "y2": str(bottom)})


def _row(root: Element, row: Row, scale: TimeScale, y: int) -> int:
    """One row: its title, its dated entries on tracks, its undated ones in words; returns where it ends."""
    _text(root, 0, y + 18, row.title, "row-title")
    y += _TITLE_HEIGHT
    for entries in grouped(row.entries):
        y = _track(root, entries, scale, y)
    for entry in undated(row.entries):
        y = _why(root, entry, _line(root, entry, "" if entry.why else "no date", y)) + _GAP
    if not row.entries:
        y = _words(root, row.nothing, "label nothing", y)
    if row.gap:
        y = _words(root, f"not all known ({row.gap})", "label gap", y)
    return y + _GAP


def _track(root: Element, entries: list[Entry], scale: TimeScale, y: int) -> int:
    """Entries with the same words: the words on one line, their marks on the line below."""
    y = _line(root, entries[0], _dates(entries), y)
    y = _why(root, entries[0], y)
    middle = y + _TRACK_HEIGHT // 2 - 2
    rail = {"class": "rail", "x1": "0%", "x2": "100%", "y1": str(middle), "y2": str(middle)}
    SubElement(root, "line", rail)
    for first, last in _courses(entries):
        course = {"class": _class("course", entries[0]), "y": str(middle - 2), "height": "4"}
        SubElement(root, "rect", course | _extent(scale.position(first), scale.position(last)))
    for entry in entries:
        _mark(root, entry, scale, middle)
    return y + _TRACK_HEIGHT


def _courses(entries: list[Entry]) -> list[tuple[date, date]]:
    """From when to when things lasted; what overlaps is drawn once."""
    known = sorted((entry.when.latest, entry.until) for entry in entries if entry.when and entry.until)
    merged: list[tuple[date, date]] = []
    for first, last in known:
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        elif last > first:
            merged.append((first, last))
    return merged


def _mark(root: Element, entry: Entry, scale: TimeScale, y: int) -> None:
    """One entry: a vague date as a bar, an exact one as a dot."""
    assert entry.when is not None
    left, right = scale.position(entry.when.earliest), scale.position(entry.when.latest)
    if entry.when.is_exact:
        shape = _class("open" if entry.is_open else "dot", entry)
        SubElement(root, "circle", {"class": shape, "cx": _percent(left), "cy": str(y), "r": str(_MARK)})
        return
    bar = {"class": _class("vague", entry), "y": str(y - _MARK), "height": str(2 * _MARK), "rx": "2"}
    SubElement(root, "rect", bar | _extent(left, right))


def _axis(root: Element, scale: TimeScale, y: int) -> None:
    SubElement(root, "line", {"class": "axis", "x1": "0%", "x2": "100%", "y1": str(y), "y2": str(y)})
    _text(root, 100, y + 18, str(scale.today), "tick", "end")
    for index, (position, name) in enumerate(_named_ticks(scale)):
        # Every second name gives way on a narrow panel.
        kind = "tick" if index % 2 else "tick spare"
        _text(root, position, y + 18, name, kind, "middle")


def _named_ticks(scale: TimeScale) -> list[tuple[float, str]]:
    """Ticks with room for their names, from today on back."""
    named: list[tuple[float, str]] = []
    for position, name in scale.ticks():
        has_room = not named or named[-1][0] - position >= _BETWEEN_TICKS
        if has_room and _FIRST_TICK <= position <= _LAST_TICK:
            named.append((position, name))
    return named


def _words(root: Element, words: str, kind: str, y: int) -> int:
    _text(root, 0, y + 12, words, kind)
    return y + _LABEL_HEIGHT + 2


def _line(root: Element, entry: Entry, dates: str, y: int) -> int:
    """What it is and what the rule makes of it, once for each width, and its date at the other end."""
    for longest, width in ((_ROOMY, "roomy"), (_TIGHT, "tight")):
        _text(root, 0, y + 12, _label_words(entry, longest - len(dates)), f"{_class('label', entry)} {width}")
    _text(root, 100, y + 12, dates, _class("date", entry), "end")
    return y + _LABEL_HEIGHT


def _why(root: Element, entry: Entry, y: int) -> int:
    """Why the rule reads it so, on a line of its own below the entry."""
    if not entry.why:
        return y
    for longest, width in ((_ROOMY + _DATE, "roomy"), (_TIGHT + _DATE, "tight")):
        _text(root, 0, y + 12, _cut(entry.why, longest), f"why {width}")
    return y + _LABEL_HEIGHT


def _label_words(entry: Entry, longest: int) -> str:
    remark = f" · {entry.remark}" if entry.remark else ""
    words = f"“{entry.label}”" if entry.quoted else entry.label
    return _cut(_cut(words, max(longest - len(remark), _SHORTEST_LABEL)) + remark, longest)


def _cut(words: str, longest: int) -> str:
    return words if len(words) <= longest else words[: longest - 1].rstrip() + "…"


def _dates(entries: list[Entry]) -> str:
    """The date of one entry, or how many there are and the newest."""
    dates = sorted((entry.when for entry in entries if entry.when), key=lambda when: when.latest)
    return str(dates[-1]) if len(dates) == 1 else f"{len(dates)}× to {dates[-1]}"


def _class(kind: str, entry: Entry) -> str:
    return kind if entry.counts else f"{kind} passed"


def _extent(left: float, right: float) -> dict[str, str]:
    # A week of 20 years ago is narrower than a pixel; what is there must be seen.
    return {"x": _percent(left), "width": _percent(max(right - left, 0.6))}


def _percent(position: float) -> str:
    return f"{position:.2f}%"


def _text(root: Element, position: float, y: int, words: str, kind: str, anchor: str = "start") -> None:
    attributes = {"class": kind, "x": _percent(position), "y": str(y), "text-anchor": anchor}
    SubElement(root, "text", attributes).text = words
