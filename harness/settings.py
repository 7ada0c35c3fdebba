"""What a project and a machine choose beforehand: ``[tool.harness]`` and ``HARNESS_*``.

One precedence, everywhere: what is on the command line, then the environment, then
``pyproject.toml``, then the default. An option ``--some-option`` of ``harness run`` is
``HARNESS_RUN_SOME_OPTION`` in the environment and ``some_option`` in the table
``[tool.harness.run]``. The file is the nearest ``pyproject.toml`` from the working folder upwards
that has such a table.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import UsageError, did_you_mean

PREFIX = "HARNESS"
FILE = "pyproject.toml"
GLOBAL: Mapping[str, str] = {
    "cache_folder": "HARNESS_CACHE",
    "cache_max_size": "HARNESS_CACHE_MAX_SIZE",
}
"""Keys of ``[tool.harness]`` itself, and the variables that mean the same."""


@dataclass(frozen=True)
class Project:
    """The table ``[tool.harness]``, and the file that it stands in."""

    file: Path | None = None
    table: Mapping[str, Any] = field(default_factory=dict)

    @property
    def where(self) -> str:
        return f"{self.file}: [tool.harness]"

    def section(self, name: str, known: Sequence[str]) -> dict[str, Any]:
        """The table of one command. Raises UsageError for a key that is not among ``known``."""
        section = self.table.get(name, {})
        where = f"{self.file}: [tool.harness.{name}]"
        if not isinstance(section, Mapping):
            raise UsageError(f"{where} must be a table.")
        for key, value in section.items():
            if key not in known:
                raise UsageError(f"{where}: unknown key '{key}'.{did_you_mean(key, known)}")
            if isinstance(value, Mapping):
                raise UsageError(f"{where}: '{key}' must be a value, not a table.")
        return dict(section)


def project(folder: Path | None = None) -> Project:
    """What the nearest ``pyproject.toml`` says, from ``folder`` (default: the working one) up.

    Raises UsageError for a file that is not TOML and a ``tool.harness`` that is no table.
    """
    start = (folder or Path.cwd()).absolute()
    for place in (start, *start.parents):
        file = place / FILE
        if not file.is_file():
            continue
        table = _table(file)
        if table is not None:
            return Project(file, table)
    return Project()


def _table(file: Path) -> Mapping[str, Any] | None:
    try:
        content = file.read_bytes()
    except OSError:
        return None
    # A broken file of another tool's is not ours to complain about.
    if b"tool.harness" not in content:
        return None
    try:
        found = tomllib.loads(content.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not TOML: {error}.") from error
    table = found.get("tool", {}).get("harness")
    if table is not None and not isinstance(table, Mapping):
        raise UsageError(f"{file}: tool.harness must be a table, [tool.harness].")
    return table


def check_names(found: Project, commands: Sequence[str]) -> None:
    """Raise UsageError for a key of ``[tool.harness]`` that is neither a command nor known."""
    known = [*GLOBAL, *commands]
    for key, value in found.table.items():
        if key not in known:
            raise UsageError(f"{found.where}: unknown key '{key}'.{did_you_mean(key, known)}")
        if key in GLOBAL and not isinstance(value, str):
            raise UsageError(f"{found.where}: '{key}' must be a text.")


def apply_global(found: Project) -> None:
    """Give the environment what the file says and the environment does not.

    A relative ``cache_folder`` starts at the file's folder.
    """
    for key, variable in GLOBAL.items():
        value = found.table.get(key)
        if not isinstance(value, str) or os.environ.get(variable):
            continue
        if key == "cache_folder" and found.file is not None:
            value = str(found.file.parent / Path(value).expanduser())
        os.environ[variable] = value


def variable(*names: str) -> str:
    """The environment's name of an option: ``run``, ``limit`` -> ``HARNESS_RUN_LIMIT``."""
    return "_".join([PREFIX, *names]).upper().replace("-", "_")
