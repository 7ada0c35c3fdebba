"""Options from ``[tool.harness.COMMAND]`` and ``HARNESS_COMMAND_OPTION`` (harness/settings.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
from click.core import ParameterSource

from harness import settings
from harness.errors import UsageError, did_you_mean
from harness.settings import Project


def give_variables(command: click.Command, *names: str) -> None:
    """Every option of the command, and of those below it, its variable in the environment."""
    for key, option in _options(command):
        if option.envvar is None:
            option.envvar = settings.variable(*names, key)
    for name, below in getattr(command, "commands", {}).items():
        give_variables(below, *names, name)


def defaults(command: click.Command, found: Project, *names: str) -> dict[str, Any]:
    """click's ``default_map`` for the command. Raises UsageError naming file, table and key."""
    table = _section(found, names)
    below: Mapping[str, click.Command] = getattr(command, "commands", {})
    options = dict(_options(command))
    made: dict[str, Any] = {}
    where = f"{found.file}: [tool.harness.{'.'.join(names)}]"
    for key, value in table.items():
        if key in below:
            made[key] = defaults(below[key], found, *names, key)
        elif key in options:
            made[str(options[key].name)] = _value(options[key], value, f"{where}: '{key}'")
        else:
            hint = did_you_mean(key, [*options, *below])
            raise UsageError(f"{where}: unknown key '{key}'.{hint}")
    return made


def told_where(error: click.ClickException, found: Project) -> str | None:
    """Where the value that an error is about was written; None: on the command line."""
    if not isinstance(error, click.BadParameter) or error.ctx is None or error.param is None:
        return None
    source = error.ctx.get_parameter_source(str(error.param.name))
    if source is ParameterSource.DEFAULT_MAP:
        return f"It stands in {found.file}."
    if source is ParameterSource.ENVIRONMENT:
        return f"It stands in the environment: {error.param.envvar}."
    return None


def _options(command: click.Command) -> Iterator[tuple[str, click.Option]]:
    """The name of each option as a key of TOML, and the option."""
    for option in command.params:
        if isinstance(option, click.Option):
            longest = max(option.opts, key=len)
            yield longest.lstrip("-").replace("-", "_"), option


def _section(found: Project, names: Sequence[str]) -> Mapping[str, Any]:
    table: Any = found.table
    for name in names:
        table = table.get(name, {})
        if not isinstance(table, Mapping):
            raise UsageError(f"{found.where}: '{'.'.join(names)}' must be a table.")
    return dict(table)


def _value(option: click.Option, value: Any, where: str) -> Any:
    if isinstance(value, Mapping):
        raise UsageError(f"{where} must be a value, not a table.")
    if isinstance(value, bool) != bool(option.is_flag):
        wanted = "true or false" if option.is_flag else "a text or a number"
        raise UsageError(f"{where} must be {wanted}, got {str(value).lower()}.")
    if isinstance(value, list) != bool(option.multiple):
        if option.multiple:
            return [value]
        raise UsageError(f"{where} must be one value, not a list.")
    return value
