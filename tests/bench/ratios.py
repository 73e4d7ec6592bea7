"""The committed ratios (`docs/benchmarks.json`), and which ratios of a run are worse by more than chance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from tests.bench.figures import Figure
from tests.bench.servers import ROOT

RATIOS_FILE = ROOT / "docs" / "benchmarks.json"


def read_ratios() -> dict[str, float]:
    """The committed ratios by the name of their figure; none where there is no file yet."""
    if not RATIOS_FILE.exists():
        return {}
    ratios: dict[str, float] = json.loads(RATIOS_FILE.read_text(encoding="utf-8"))["ratios"]
    return ratios


def write_ratios(figures: Sequence[Figure]) -> None:
    """Commit the ratios of a run; those that it did not measure are gone with it."""
    ratios = {figure.name: _rounded(figure.ratio) for figure in figures}
    RATIOS_FILE.write_text(json.dumps({"ratios": ratios}, indent=2) + "\n", encoding="utf-8")


def worse(figures: Sequence[Figure], committed: Mapping[str, float]) -> list[str]:
    """A sentence for each figure whose ratio is worse than the committed one by more than its margin."""
    return [
        f"WORSE: {figure.name}: {figure.ratio:.2f} times {figure.beside}, committed {committed[figure.name]:.2f},"
        f" margin {figure.margin}"
        for figure in figures
        if figure.name in committed and figure.ratio > committed[figure.name] * figure.margin
    ]


def _rounded(ratio: float) -> float:
    """Three digits, which is more than chance leaves."""
    return float(f"{ratio:.3g}")
