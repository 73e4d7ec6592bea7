"""The plan of a replay: all that decides on its answers, in one file that every worker reads."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import orjson

from cds_service.clinical import registry
from cds_service.clinical.rules.rule import Rule
from cds_service.decision.pseudonyms import Pseudonyms
from cds_service.ledger.entries import ANONYMOUS
from cds_service.protocol.services import Service
from cds_service.replay.errors import ReplayError
from cds_service.replay.evaluate import Variant
from cds_service.replay.export import ExportFile, Part, parts_of
from cds_service.replay.options import Options
from cds_service.replay.work import Stamp, Work, read_json, stamp

# A partition is held in memory by one worker, as lines; its patients are decoded one after another.
PARTITION_BYTES = 8 * 1024 * 1024
_MOST_PARTITIONS = 4096

_CONTENT_FILES = frozenset({".toml", ".json"})


@dataclass(frozen=True, slots=True)
class ContentFolders:
    """Where a content lies: its folder (empty for the one that came with the service), and its overlays."""

    folder: str = ""
    overlays: tuple[str, ...] = ()

    def with_overlay(self, folder: str) -> ContentFolders:
        """The content with another overlay; a folder that holds a whole content stands in its place."""
        if registry.is_whole(Path(folder)):
            return ContentFolders(folder)
        return ContentFolders(self.folder, (*self.overlays, folder))


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that decides on the answers.

    Attributes:
        files, parts: of the export.
        partitions: into how many parts the patients are dealt.
        options: as the command gave them.
        choices: the site's settings that concern the rule, by name.
        content: where the content in force lies.
        accepted_gaps: a setting, see there.
        key: under which patients stand in the answers; made for the run where the site has none.
        today: the day of the run: what is dated later is an error of the data, not their end.
        version: of this package.
        digests: of the content of each rule that is asked.
        passed_over: what lies in the export and is not read, by name.
    """

    files: tuple[ExportFile, ...]
    parts: tuple[Part, ...]
    partitions: int
    options: Options
    choices: Mapping[str, Any]
    content: ContentFolders
    accepted_gaps: tuple[str, ...]
    key: str
    today: date
    version: str
    digests: tuple[str, ...]
    passed_over: tuple[str, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """Two replays with the same fingerprint have the same answers, under the names that the key gives."""
        plain = self.plain()
        decides = {name: value for name, value in plain.items() if name not in ("key", "today")}
        return hashlib.sha256(orjson.dumps(decides, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def plain(self) -> dict[str, Any]:
        """As JSON; it holds the key."""
        return {
            "files": [asdict(file) for file in self.files],
            "parts": [asdict(part) for part in self.parts],
            "partitions": self.partitions,
            "options": self.options.plain(),
            "choices": dict(self.choices),
            "content": asdict(self.content),
            "accepted_gaps": list(self.accepted_gaps),
            "key": self.key,
            "today": self.today.isoformat(),
            "version": self.version,
            "digests": list(self.digests),
            "passed_over": list(self.passed_over),
        }

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Plan:
        """From what `plain` gave."""
        return cls(
            **{
                **plain,
                "files": tuple(ExportFile(**file) for file in plain["files"]),
                "parts": tuple(Part(**part) for part in plain["parts"]),
                "options": Options.of(plain["options"]),
                "content": ContentFolders(plain["content"]["folder"], tuple(plain["content"]["overlays"])),
                "accepted_gaps": tuple(plain["accepted_gaps"]),
                "today": date.fromisoformat(plain["today"]),
                "digests": tuple(plain["digests"]),
                "passed_over": tuple(plain["passed_over"]),
            }
        )

    @cached_property
    def pseudonyms(self) -> Pseudonyms:
        return Pseudonyms(self.key)

    def name_of(self, patient_id: str) -> tuple[str, str]:
        """What a patient is sorted by, as hexadecimal digits, and what stands in the answers."""
        if self.options.with_ids:
            return hashlib.sha256(patient_id.encode()).hexdigest(), patient_id
        pseudonym = self.pseudonyms.patient(ANONYMOUS, "", "", patient_id)
        return pseudonym, pseudonym

    def partition_of(self, patient_id: str) -> int:
        """The partition of a patient: a range of what patients are sorted by, so that all in turn are sorted."""
        return int(self.name_of(patient_id)[0][:8], 16) * self.partitions >> 32

    @cached_property
    def service(self) -> Service:
        """The service that answers the hook."""
        return service_for(self.options.hook)

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        """The rule in force, then those that it is compared with."""
        return variants_of(self.options, self.content, self.choices)

    @cached_property
    def patients(self) -> frozenset[str] | None:
        """The patients to replay; None for all."""
        return None if self.options.patients is None else frozenset(self.options.patients)


def service_for(hook: str) -> Service:
    """The first service that answers a hook.

    Raises:
        ReplayError: there is none.
    """
    found = next((service for service in registry.services() if service.hook == hook), None)
    if found is None:
        raise ReplayError(f"no service answers the hook {hook}")
    return found


def variants_of(options: Options, content: ContentFolders, choices: Mapping[str, Any]) -> tuple[Variant, ...]:
    """The rules that are asked: the one in force, one for each other value of a setting, one for the other content.

    Raises:
        ContentError: a content cannot be used.
        ReplayError: a setting is varied that changes no answer, or there is nothing to compare with; see also
            `service_for`.
    """
    service = service_for(options.hook)
    found = [Variant("", rule_for(service, content, choices))]
    for name, values in options.vary.items():
        if name not in (known := found[0].rule.choices):
            raise ReplayError(f"the setting {name} does not change an answer; there are {', '.join(sorted(known))}")
        found += [Variant(f"{name}={value}", rule_for(service, content, {**choices, name: value})) for value in values]
    if options.against:
        if not any(path.suffix in _CONTENT_FILES for path in Path(options.against).rglob("*")):
            raise ReplayError(f"{options.against} holds neither an overlay nor a content to compare with")
        other = content.with_overlay(options.against)
        found.append(Variant(f"content={Path(options.against).name}", rule_for(service, other, choices)))
    return tuple(found)


def rule_for(service: Service, content: ContentFolders, choices: Mapping[str, Any]) -> Rule:
    """The rule that answers a service, with a content and choices."""
    folder = Path(content.folder) if content.folder else None
    contents = registry.contents(folder, tuple(Path(overlay) for overlay in content.overlays))
    return next(rule for rule in registry.rules(contents, choices) if service in rule.services)


def partitions_for(files: Sequence[ExportFile], partition_bytes: int = PARTITION_BYTES) -> int:
    """Into how many partitions an export is dealt: by its size alone, and not by the workers."""
    expected = sum(file.bytes_expected for file in files)
    return min(max(-(-expected // partition_bytes), 1), _MOST_PARTITIONS)


def all_parts(files: Sequence[ExportFile]) -> tuple[Part, ...]:
    """The parts in which an export is read."""
    return parts_of(files)


def plan_in(out: Path) -> Plan:
    """The plan of the replay that works there; read once, for as long as it is the same file."""
    return _plan_of(out, stamp(Work(out).plan))


# A worker of a cluster serves replay after replay, in folders that may have the same name.
@lru_cache(maxsize=4)
def _plan_of(out: Path, _stamp: Stamp) -> Plan:
    return Plan.of(read_json(Work(out).plan))
