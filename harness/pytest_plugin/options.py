"""Options of the plugin: command line, then HARNESS_PYTEST_*, then [tool.harness.pytest]."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness import settings
from harness.errors import UsageError
from harness.types import Status

CHOICES = ("fail", "skip", "xfail")
SECTION = "pytest"


@dataclass(frozen=True)
class Options:
    """What was chosen for this session."""

    runs: tuple[Path, ...] = ()
    variants: tuple[str, ...] = ()
    limit: int | None = None
    seed: int = 0
    device: str = "auto"
    inconclusive: str = "fail"
    invalid: str = "fail"

    def choice(self, status: Status) -> str:
        """What an item of that status does: fail, skip or xfail."""
        chosen = {Status.INCONCLUSIVE: self.inconclusive, Status.INVALID: self.invalid}
        return chosen.get(status, "fail")


_HELP: Mapping[str, tuple[str, str]] = {
    "run": ("DIR", "gate this stored run instead of measuring (no model is loaded); repeatable"),
    "variant": ("V", "measure only these variants; repeatable"),
    "limit": ("N", "samples per task"),
    "seed": ("S", "seed of splits and draws (default: 0)"),
    "device": ("D", "auto, cpu, mps, cuda or cuda:N (default: auto)"),
    "inconclusive": ("DO", "what an INCONCLUSIVE rule does: fail (default), skip or xfail"),
    "invalid": ("DO", "what an INVALID rule or check does: fail (default), skip or xfail"),
}
_MANY = ("run", "variant")
_NUMBERS = ("limit", "seed")


def add(parser: pytest.Parser) -> None:
    group = parser.getgroup("harness", "harness: is the adapter worth shipping?")
    for name, (metavar, text) in _HELP.items():
        group.addoption(
            f"--harness-{name}",
            dest=f"harness_{name}",
            action="append" if name in _MANY else "store",
            type=int if name in _NUMBERS else str,
            choices=CHOICES if name in ("inconclusive", "invalid") else None,
            default=None,
            metavar=metavar,
            help=text,
        )


def read(config: pytest.Config) -> Options:
    """The options of a session. Raises pytest.UsageError for one that cannot be."""
    try:
        return _checked({name: _value(config, name) for name in _HELP})
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error


def _value(config: pytest.Config, name: str) -> Any:
    given = config.getoption(f"harness_{name}")
    if given is not None:
        return given
    key = settings.variable(SECTION, name)
    if (text := os.environ.get(key)) is not None:
        if name in _NUMBERS:
            return _number(text, key)
        return text.split(os.pathsep if name == "run" else None) if name in _MANY else text
    found = settings.project(config.invocation_params.dir)
    value = found.section(SECTION, list(_HELP)).get(name)
    where = f"{found.file}: [tool.harness.{SECTION}] {name}"
    if value is None:
        return None
    if name in _NUMBERS:
        return _number(value, where)
    if name in _MANY and isinstance(value, list):
        return value
    if not isinstance(value, str):
        raise UsageError(f"{where} must be a text, got {value!r}.")
    return [value] if name in _MANY else value


def _number(value: Any, where: str) -> int:
    try:
        if isinstance(value, bool):
            raise ValueError
        return int(value)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where} must be a whole number, got {value!r}.") from error


def _checked(values: Mapping[str, Any]) -> Options:
    limit = values["limit"]
    if limit is not None and limit < 1:
        raise UsageError(f"--harness-limit must be at least 1, got {limit}.")
    for name in ("inconclusive", "invalid"):
        if values[name] not in (None, *CHOICES):
            raise UsageError(f"--harness-{name} must be one of {', '.join(CHOICES)}.")
    runs = tuple(Path(run) for run in values["run"] or ())
    for run in runs:
        if not run.exists():
            raise UsageError(f"--harness-run: there is no '{run}'.")
    return Options(
        runs,
        tuple(values["variant"] or ()),
        limit,
        values["seed"] or 0,
        values["device"] or "auto",
        values["inconclusive"] or "fail",
        values["invalid"] or "fail",
    )
