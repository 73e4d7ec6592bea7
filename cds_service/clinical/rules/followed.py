"""What a replay follows of a patient: where the record says what was complained of, imaged and found.

Entries are named by their references (`Condition/123`), so that whoever knows when each was recorded can date them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Followed:
    """What one assessment says of the course of a patient.

    Attributes:
        at_risk: the lasting part of the question is answered with yes, whether or not the complaint is there.
        place: the part of the body that the card concerns; empty where it concerns none.
        complaint: the entries that tell of the complaint anew.
        imaging: the studies that were done and are of the kind that the card proposes first.
        disease: the entries whose codes record what the card looks for.
    """

    at_risk: bool = False
    place: str = ""
    complaint: tuple[str, ...] = ()
    imaging: tuple[str, ...] = ()
    disease: tuple[str, ...] = ()
