# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""What a log of calls says, read after the run: were they right, each in its time?

    log = [Event("ADD", "pod1", OURS, 0.0, 0.1, "done", result), Event(BRIDGE_REMOVED, begin=0.2, end=0.3), ...]
    for when, what in verdict.findings(log): ...
"""
import dataclasses
import json
import math
import re
from collections.abc import Iterator
from typing import Any

from support import churn

OURS, REFERENCE = "ours", "reference"
BRIDGE_REMOVED = "bridge removed by hand"
RULES_FLUSHED = "nf_tables flushed"
DISRUPTIONS = (BRIDGE_REMOVED, RULES_FLUSHED)
TRY_AGAIN, CHECK_FAILED = 11, 104

Finding = tuple[float, str]


@dataclasses.dataclass(frozen=True)
class Event:
    """A call, or a disruption. Begin and end are of time.monotonic()."""
    what: str
    pod: str = ""
    by: str = ""  # whose bridge was called
    begin: float = -math.inf
    end: float = math.inf
    outcome: str = "done"  # or failed or killed
    text: str = ""
    network: str = ""

    def code(self) -> int | None:
        """Of the error object; None if there is none."""
        try:
            answer = error_object(self.text)
            return answer["code"] if answer["msg"] else None
        except (ValueError, KeyError, TypeError):
            return None

    def __str__(self) -> str:
        return f"{self.what} of {self.pod or 'all'} by {self.by}: {' '.join(self.text.split())}"


def findings(log: list[Event]) -> list[Finding]:
    """When and what, in the order of time."""
    return sorted([*held_twice(log), *_failures(log), *_wrong_checks(log)])


def held_twice(log: list[Event]) -> Iterator[Finding]:
    moments: list[tuple[float, int, Event]] = []
    for number, event in enumerate(log):
        if event.what == "DEL":
            moments.append((event.begin, -number, event))
        elif event.what == "ADD" and event.outcome == "done":
            moments.append((event.end, number, event))
    holders = churn.Holders()
    for when, _, event in sorted(moments):
        if event.what == "DEL":
            holders.leaving(event.pod)
        else:
            yield from ((when, twice) for twice in holders.added(event.pod, churn.addresses_in(json.loads(event.text))))


def _failures(log: list[Event]) -> Iterator[Finding]:
    """Ours never fail but for an ADD whose bridge is taken away while it works: that one is told to try again. The
    reference has its own reasons and calls them all 999; another code is from our IPAM plugin, which has none."""
    removals = [event for event in log if event.what == BRIDGE_REMOVED]
    for event in log:
        if event.outcome != "failed" or event.what == "CHECK" or event.by == REFERENCE and event.code() == 999:
            continue
        disturbed = event.what == "ADD" and any(overlap(event, removal) for removal in removals)
        if not disturbed:
            yield event.end, f"error: {event}"
        elif event.code() != TRY_AGAIN:
            yield event.end, f"error: not code {TRY_AGAIN} although the bridge vanished: {event}"


def _wrong_checks(log: list[Event]) -> Iterator[Finding]:
    """CHECK is right to complain (code 104) if something was taken away between ADD and CHECK, and only then."""
    disruptions = [event for event in log if event.what in DISRUPTIONS]
    pinners = _reference_pins_mac(log)
    added: dict[str, Event] = {}
    for event in sorted(log, key=lambda event: event.end):
        if event.what == "ADD" and event.outcome == "done":
            added[event.pod] = event
        if event.what != "CHECK":
            continue
        add = added[event.pod]
        life = dataclasses.replace(event, begin=add.begin)
        certain = [each for each in disruptions if add.end < each.begin and each.end < event.begin]
        possible = [each for each in disruptions if overlap(life, each)]
        if event.outcome == "failed" and event.code() != CHECK_FAILED:
            yield event.end, f"error: {event}"
        elif event.outcome == "failed" and not possible:
            if "expected MAC address" not in event.text or not any(overlap(life, each) for each in pinners):
                yield event.end, f"error: false alarm: {event}"
        elif event.outcome == "done" and certain:
            yield event.end, f"error: CHECK of {event.pod} does not see: {certain[0].what}"


def _reference_pins_mac(log: list[Event]) -> list[Event]:
    """ADDs by the reference that may have given the bridge another MAC address than others reported: its new bridge takes
    that of a port, and changes it with them, until an ADD puts a gateway address on it. That one sets the MAC address it
    saw when it began. So it can only be one that began when none of its network had succeeded on that bridge."""
    adds = [event for event in log if event.what == "ADD"]
    removals = [event.end for event in log if event.what == BRIDGE_REMOVED]

    def may_be_first(event: Event) -> bool:
        new_since = max((end for end in removals if end < event.end), default=-math.inf)
        return not any(other.network == event.network and other.outcome == "done" and new_since < other.begin and
                       other.end < event.begin for other in adds)
    return [event for event in adds if event.by == REFERENCE and may_be_first(event)]


def overlap(one: Event, other: Event) -> bool:
    return one.begin <= other.end and other.begin <= one.end


def error_object(text: str) -> Any:
    """What standard output begins with; notes on standard error follow. ValueError if it is none."""
    return json.JSONDecoder().raw_decode(text.lstrip())[0]


def kinds(events: list[Event]) -> dict[str, int]:
    """How often which message came, without names and numbers."""
    counted: dict[str, int] = {}
    for event in events:
        try:
            message = error_object(event.text)["msg"]
        except (ValueError, KeyError, TypeError):
            message = event.text
        kind = re.sub(r"[\w.:/-]*\d[\w.:/-]*", "*", " ".join(message.split()))[:200]
        counted[kind] = counted.get(kind, 0) + 1
    return dict(sorted(counted.items(), key=lambda item: -item[1]))
