"""Look up the locked dependencies in the public list of known vulnerabilities: `python -m tests.audit`.

Ends with 1 where one is known. Where the list cannot be reached, it says so in capitals and ends with 0: a machine
without a network can still check style and types.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parents[1] / "requirements-dev.lock"

# The list is asked once per package, a few seconds in all; a network that swallows requests would hang.
_LONGEST_SECONDS = 180


# What pip-audit says on standard error where the list cannot be reached; whatever else ends it is a fault of the check.
_UNREACHED = ("ConnectionError", "ConnectTimeout", "ReadTimeout", "ServiceError", "Failed to establish", "Max retries")


def main() -> int:
    """Print the verdict and return the exit status."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--no-deps", "--disable-pip"]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        return _skipped("the list of known vulnerabilities does not answer")
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (json.JSONDecodeError, KeyError):
        if any(word in done.stderr for word in _UNREACHED):
            return _skipped("the list of known vulnerabilities cannot be reached")
        print(f"pip-audit failed (status {done.returncode}):\n{done.stderr[-2000:]}")
        return 1
    return _verdict(found)


def _verdict(found: list[dict[str, Any]]) -> int:
    looked_up = [item for item in found if "vulns" in item]
    faulty = [item for item in looked_up if item["vulns"]]
    for item in faulty:
        ids = ", ".join(entry["id"] for entry in item["vulns"])
        print(f"VULNERABLE: {item['name']} {item['version']}: {ids}")
    if not looked_up:
        return _skipped(f"none of {len(found)} packages could be looked up")
    if len(looked_up) < len(found):
        print(f"AUDIT INCOMPLETE: {len(found) - len(looked_up)} of {len(found)} packages could not be looked up")
    print(f"audit: {len(looked_up)} of {len(found)} locked packages looked up, {len(faulty)} vulnerable")
    return 1 if faulty else 0


def _skipped(why: str) -> int:
    print(f"AUDIT SKIPPED: {why}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
