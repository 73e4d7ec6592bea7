"""Run the bench: see the package."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping

from tests.bench import end_to_end, in_process, large_bodies, no_prefetch, peers, start
from tests.bench.figures import SHORT, USUAL, Effort, Part
from tests.bench.page import as_text, write_page
from tests.bench.ratios import RATIOS_FILE, read_ratios, worse, write_ratios
from tests.bench.servers import ROOT

PARTS: Mapping[str, Callable[[Effort], Part]] = {
    "in-process": in_process.measure,
    "end-to-end": end_to_end.measure,
    "peers": peers.measure,
    "start": start.measure,
    "no-prefetch": no_prefetch.measure,
    "large-bodies": large_bodies.measure,
}

# Where a run that is not written leaves its page.
BUILD = ROOT / "build"


def main() -> int:
    """Measure, print, compare or write; the exit status is 1 where a ratio has become worse."""
    chosen = [name for name in os.environ.get("BENCH", "").split(",") if name] or list(PARTS)
    if unknown := set(chosen) - set(PARTS):
        print(f"BENCH: there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    writes = bool(os.environ.get("BENCH_WRITE"))
    effort = SHORT if os.environ.get("BENCH_SHORT") else USUAL
    if writes and (set(chosen) != set(PARTS) or effort is SHORT):
        print("BENCH_WRITE wants a whole run: the page tells of one run, not of several", file=sys.stderr)
        return 2
    parts = []
    for name in chosen:
        begun = time.monotonic()
        part = PARTS[name](effort)
        print(f"{as_text(part)}  ({name}: {time.monotonic() - begun:.0f} s)\n", flush=True)
        parts.append(part)
    figures = [figure for part in parts for figure in part.figures]
    if writes:
        write_page(parts, RATIOS_FILE.parent)
        write_ratios(figures)
        return 0
    BUILD.mkdir(exist_ok=True)
    write_page(parts, BUILD)
    complaints = worse(figures, read_ratios())
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
