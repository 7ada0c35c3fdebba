"""Rules: TOML or JSON in, ``RuleSet`` out, and back. Nothing a typo could mean is let through."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

from harness.errors import RulesError, did_you_mean
from harness.types import Rule, RuleSet

BEST = "best"
"""``versus`` that means every variant without an adapter."""
ROLES = ("superior", "non_inferior", "guardrail")
_RULE_KEYS = tuple(f.name for f in fields(Rule))
_DEFAULTS = {f.name: f.default for f in fields(Rule)}


def load_rules(path: Path) -> RuleSet:
    """Read a TOML rules file. Raises RulesError naming the file, the rule and the key."""
    try:
        mapping = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise RulesError(f"There is no rules file '{path}'.") from error
    except OSError as error:
        raise RulesError(f"Cannot read the rules file '{path}': {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise RulesError(f"{path} is not UTF-8 ({error}). Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise RulesError(f"{path} is not TOML: {error}.") from error
    return parse_rules(mapping, where=str(path))


def parse_rules(mapping: Mapping[str, Any], *, where: str) -> RuleSet:
    """The rule set in a rules file's object; ``where`` names it in messages.

    Raises RulesError for an unknown or missing key, a wrong type and a value out of range. A set
    without rules is read: the gate says what it is worth.
    """
    if not isinstance(mapping, Mapping):
        raise RulesError(f"{where}: rules must be a table, got {_kind(mapping)}.")
    _known(mapping, ("candidate", "alpha", "rule", "target"), where)
    candidate = mapping.get("candidate")
    if not isinstance(candidate, str) or not candidate:
        raise RulesError(f"{where}: 'candidate' must name the variant that may ship.")
    return RuleSet(
        candidate,
        tuple(
            _rule(raw, candidate, f"{where}: rule {i}")
            for i, raw in enumerate(_tables(mapping, "rule", where), 1)
        ),
        _alpha(mapping.get("alpha", 0.05), where),
        tuple(
            _target(raw, candidate, f"{where}: target {i}")
            for i, raw in enumerate(_tables(mapping, "target", where), 1)
        ),
    )


def rules_to_dict(rules: RuleSet) -> dict[str, Any]:
    """The object of a rules file; ``parse_rules`` gives the same rule set back."""
    found = {
        "candidate": rules.candidate,
        "alpha": rules.alpha,
        "rule": [_rule_to_dict(rule) for rule in rules.rules],
    }
    if rules.targets:
        found["target"] = [_rule_to_dict(rule) for rule in rules.targets]
    return found


def _rule_to_dict(rule: Rule) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name in _RULE_KEYS
        if (value := getattr(rule, name)) != _DEFAULTS[name]
    }


def _tables(mapping: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
    raw = mapping.get(key, [])
    if not isinstance(raw, (list, tuple)) or not all(isinstance(r, Mapping) for r in raw):
        raise RulesError(f"{where}: write each {key} as a table of its own, under [[{key}]].")
    return list(raw)


def _target(raw: Mapping[str, Any], candidate: str, where: str) -> Rule:
    """A target is a guardrail, said of the variants without an adapter."""
    if raw.get("role", "guardrail") != "guardrail":
        raise RulesError(
            f"{where}: a target has the role guardrail: a value to reach ('min' or 'max'), "
            f"got {raw['role']!r}."
        )
    return _rule({**raw, "role": "guardrail"}, candidate, where)


def _rule(raw: Mapping[str, Any], candidate: str, where: str) -> Rule:
    _known(raw, _RULE_KEYS, where)
    metric = _text(raw, "metric", where)
    if metric is None:
        raise RulesError(f"{where}: 'metric' is missing.")
    where = f"{where} ({metric})"
    role = raw.get("role")
    if role not in ROLES:
        hint = did_you_mean(str(role), ROLES)
        raise RulesError(f"{where}: 'role' must be one of {', '.join(ROLES)}, got {role!r}.{hint}")
    rule = Rule(
        metric=metric,
        role=role,
        versus=_text(raw, "versus", where),
        margin=_number(raw, "margin", where),
        max=_number(raw, "max", where),
        min=_number(raw, "min", where),
        task=_text(raw, "task", where),
        slice=_text(raw, "slice", where),
        direction=raw.get("direction"),
        alpha=None if raw.get("alpha") is None else _alpha(raw["alpha"], where),
        advisory=_flag(raw, "advisory", False, where),
        max_unscored=_share(raw, where),
        min_samples=_count(raw, where),
        cluster=_flag(raw, "cluster", True, where),
        bounds=_bounds(raw, where),
        pairing=_pairing(raw, where),
    )
    _check_role(rule, candidate, where)
    return rule


def _check_role(rule: Rule, candidate: str, where: str) -> None:
    if rule.direction not in (None, "higher", "lower"):
        raise RulesError(
            f"{where}: 'direction' must be 'higher' or 'lower', got {rule.direction!r}."
        )
    if rule.role == "guardrail":
        _check_guardrail(rule, where)
        return
    for key in ("max", "min"):
        if getattr(rule, key) is not None:
            raise RulesError(f"{where}: '{key}' belongs to the role guardrail, not {rule.role}.")
    if rule.versus is None:
        raise RulesError(f"{where}: 'versus' is missing: a variant's name, or '{BEST}' for all.")
    if rule.versus == candidate:
        raise RulesError(f"{where}: 'versus' is the candidate itself.")
    if rule.margin is None:
        raise RulesError(
            f"{where}: 'margin' is missing: "
            + ("the gain to prove." if rule.role == "superior" else "the loss to allow.")
        )
    if rule.margin < 0 or (rule.margin == 0 and rule.role == "non_inferior"):
        least = "at least 0" if rule.role == "superior" else "above 0"
        raise RulesError(f"{where}: 'margin' must be {least}, got {rule.margin:g}.")


def _check_guardrail(rule: Rule, where: str) -> None:
    for key in ("versus", "margin", "direction"):
        if getattr(rule, key) is not None:
            raise RulesError(
                f"{where}: '{key}' has no meaning for a guardrail, which holds the candidate's own "
                "value against 'max' or 'min'."
            )
    if (rule.max is None) == (rule.min is None):
        raise RulesError(
            f"{where}: a guardrail needs either 'max' or 'min'; for both write two rules."
        )


def _known(raw: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in raw:
        if key not in keys:
            raise RulesError(f"{where}: unknown key '{key}'.{did_you_mean(str(key), keys)}")


def _text(raw: Mapping[str, Any], key: str, where: str) -> str | None:
    value = raw.get(key)
    if value is not None and (not isinstance(value, str) or not value):
        raise RulesError(f"{where}: '{key}' must be a non-empty string, got {value!r}.")
    return value


def _number(raw: Mapping[str, Any], key: str, where: str) -> float | None:
    value = raw.get(key)
    return None if value is None else _finite(value, key, where)


def _finite(value: Any, key: str, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise RulesError(f"{where}: '{key}' must be a finite number, got {value!r}.")
    return float(value)


def _flag(raw: Mapping[str, Any], key: str, default: bool, where: str) -> bool:
    value = raw.get(key, default)
    if not isinstance(value, bool):
        raise RulesError(f"{where}: '{key}' must be true or false, got {value!r}.")
    return value


def _alpha(value: Any, where: str) -> float:
    alpha = _finite(value, "alpha", where)
    if not 1e-9 <= alpha < 0.5:
        raise RulesError(
            f"{where}: 'alpha' must lie between 0 and 0.5 (an error rate; usually 0.05, least "
            f"1e-9), got {alpha:g}."
        )
    return alpha


def _share(raw: Mapping[str, Any], where: str) -> float:
    value = _finite(raw.get("max_unscored", 0.05), "max_unscored", where)
    if not 0 <= value < 1:
        raise RulesError(
            f"{where}: 'max_unscored' is a share: at least 0 and below 1, got {value:g}."
        )
    return value


def _count(raw: Mapping[str, Any], where: str) -> int:
    value = raw.get("min_samples", 30)
    if isinstance(value, bool) or not isinstance(value, int) or value < 2:
        raise RulesError(f"{where}: 'min_samples' must be a whole number from 2, got {value!r}.")
    return value


def _pairing(raw: Mapping[str, Any], where: str) -> Literal["paired", "independent"]:
    value = raw.get("pairing", "paired")
    if value == "paired":
        return "paired"
    if value == "independent":
        return "independent"
    raise RulesError(
        f"{where}: 'pairing' must be 'paired' (both sides answered the same samples) or "
        f"'independent' (they did not), got {value!r}."
    )


def _bounds(raw: Mapping[str, Any], where: str) -> tuple[float, float] | None:
    value = raw.get("bounds")
    if value is None:
        return None
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise RulesError(f"{where}: 'bounds' must be [least, greatest], got {value!r}.")
    low, high = (_finite(x, "bounds", where) for x in value)
    if low >= high:
        raise RulesError(f"{where}: 'bounds' must rise, got [{low:g}, {high:g}].")
    if not high - low < 1e100:
        raise RulesError(
            f"{where}: 'bounds' are so far apart ([{low:g}, {high:g}]) that they bound nothing."
        )
    return low, high


def _kind(value: object) -> str:
    return type(value).__name__
