"""A finding: one clinical fact of this patient and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from cds_service.chart.records import Coding
from cds_service.chart.span import Span


class DateSource(StrEnum):
    """What a finding's date is: the key of its sentence in `wording.toml`, section `when`."""

    ONSET = "onset"
    RECORDED = "recorded"
    ENCOUNTER = "encounter"
    OBSERVED = "observed"
    ORDERED = "ordered"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One clinical fact of this patient and where it stands.

    `label` is our own display of the matching code and safe to print. `quote` is text from the EHR: the
    words that matched where no code did, or the EHR's display of a code for which we have none. `as_written` is
    what the EHR calls a coded entry, where that says more than the label.
    """

    source: str
    kind: str
    label: str = ""
    quote: str = ""
    coding: Coding | None = None
    when: Span | None = None
    date_source: DateSource = DateSource.UNKNOWN
    from_text: bool = False
    as_written: str = ""

    @property
    def last_day(self) -> date:
        """The last day on which it may have been; the first day of all if undated."""
        return self.when.latest if self.when else date.min


def coded_newest_first(finding: Finding) -> tuple[bool, int, str]:
    """A sort key: codes before words, then the newest first and the undated last, then by entry."""
    return finding.from_text, -finding.last_day.toordinal(), finding.source
