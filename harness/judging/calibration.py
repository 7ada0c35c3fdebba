"""A judge's calibration: its figures, bound to exactly that judge, and whether it may gate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import fingerprints
from harness.errors import UsageError
from harness.judging import prompt
from harness.judging.models import JudgeModel
from harness.judging.rubric import Rubric

SCHEMA_VERSION = 1
FLOOR = 0.4
"""Of weighted kappa's lower bound: below 0.41 agreement is "fair" at best (Landis & Koch 1977)."""
LEAST = 30
"""Labelled items, as for any metric that gates."""
MOST_UNPARSEABLE = 0.05


@dataclass(frozen=True)
class Bond:
    """What a calibration holds for. Another judge, rubric or prompt needs another one."""

    judges: Sequence[JudgeModel]
    rubric: Rubric
    repeats: int

    @property
    def parts(self) -> dict[str, Any]:
        """Each part's hash or value, so that what differs can be named."""
        return {
            "judges_sha256": fingerprints.of([judge.identity for judge in self.judges]),
            "rubric_sha256": self.rubric.sha256,
            "prompt_sha256": prompt.SHA256,
            "repeats": self.repeats,
        }

    @property
    def sha256(self) -> str:
        return fingerprints.of(self.parts)


_SAID = {
    "judges_sha256": "the judge (model, server or settings)",
    "rubric_sha256": "the rubric",
    "prompt_sha256": "the prompt around it",
    "repeats": "the repeats",
}


def document(
    bond: Bond,
    figures: Mapping[str, Any],
    *,
    by_judge: Mapping[str, Mapping[str, Any]],
    probes: Sequence[Mapping[str, Any]] | None,
    labels_sha256: str,
    created: str,
) -> dict[str, Any]:
    """The calibration as it is stored: JSON."""
    made = {
        "schema_version": SCHEMA_VERSION,
        "metric": f"judge_{bond.rubric.name}",
        "kind": bond.rubric.kind,
        "rubric": bond.rubric.name,
        **bond.parts,
        "judges": [{"name": judge.title, **judge.identity} for judge in bond.judges],
        "figures": dict(figures),
        "by_judge": {name: dict(some) for name, some in by_judge.items()},
        "probes": None if probes is None else [dict(row) for row in probes],
        "labels_sha256": labels_sha256,
        "created": created,
    }
    return {**made, "sha256": fingerprints.of(made)}


def read(path: Path) -> dict[str, Any] | None:
    """The calibration in a file; None where there is no such file.

    Raises UsageError for one that is no calibration, that another version wrote, or that was
    edited after it was written.
    """
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UsageError(f"The calibration {path} cannot be read: {error}. {_AGAIN}") from error
    if not isinstance(found, dict) or not isinstance(found.get("figures"), dict):
        raise UsageError(f"{path} is no calibration of a judge. {_AGAIN}")
    if found.get("schema_version") != SCHEMA_VERSION:
        raise UsageError(
            f"The calibration {path} has schema version {found.get('schema_version')}, and this "
            f"harness reads {SCHEMA_VERSION}. {_AGAIN}"
        )
    if found.get("sha256") != fingerprints.of({k: v for k, v in found.items() if k != "sha256"}):
        raise UsageError(f"The calibration {path} was changed after it was written. {_AGAIN}")
    return found


_AGAIN = "Make it again: harness judge calibrate"


def verdict(found: Mapping[str, Any] | None, bond: Bond, floor: float) -> dict[str, Any]:
    """Whether the judge may gate by this calibration, and why not: ``valid``, ``reason``, and what
    a report shows of it: figures and, where they are of this very judge, ``probes``."""
    if found is None:
        return {"valid": False, "reason": "the judge was never calibrated", "floor": floor}
    figures = found["figures"]
    told = {
        "valid": False,
        "reason": None,
        "floor": floor,
        **{key: figures.get(key) for key in _SHOWN},
        "accuracy": figures.get("accuracy", figures.get("accuracy_both")),
        "created": found.get("created"),
        "labels_sha256": found.get("labels_sha256"),
        "sha256": found.get("sha256"),
    }
    stale = _stale(found, bond)
    reason = stale or _weak(figures, floor)
    probes = None if stale else found.get("probes")
    return {**told, "valid": reason is None, "reason": reason, "probes": probes}


_SHOWN = (
    *("n", "unparseable", "kappa", "kappa_ci", "weighted_kappa", "weighted_kappa_ci"),
    *("alpha", "alpha_ci", "constant_accuracy", "order_agreement", "order_flip_rate"),
    *("length_bias", "ci_level"),
)


def _stale(found: Mapping[str, Any], bond: Bond) -> str | None:
    differ = [_SAID[key] for key, value in bond.parts.items() if found.get(key) != value]
    if not differ:
        return None
    verb = "is" if len(differ) == 1 else "are"
    return f"its calibration is stale: {' and '.join(differ)} {verb} not what was calibrated"


def _weak(figures: Mapping[str, Any], floor: float) -> str | None:
    n, unparseable = figures.get("n") or 0, figures.get("unparseable") or 0
    if n < LEAST:
        return f"its calibration has {n} labelled items, and {LEAST} are the least"
    if unparseable > MOST_UNPARSEABLE * n:
        return f"{unparseable} of {n} of its verdicts in the calibration were unparseable"
    bounds = figures.get("weighted_kappa_ci")
    if not isinstance(bounds, list) or bounds[0] is None:
        return "its calibration gives no weighted kappa: all labels or all verdicts are equal"
    if not bounds[0] >= floor:
        return (
            "its agreement with people is not proved: weighted kappa "
            f"{figures['weighted_kappa']:.2f} (from {bounds[0]:.2f} to {bounds[1]:.2f}), and the "
            f"lower bound must reach {floor:g}"
        )
    return None
