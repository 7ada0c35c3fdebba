"""A verdict as an in-toto Statement, to be signed and checked elsewhere: docs/attestation.md.

Statement v1: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md; predicate:
https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from harness import __version__, fingerprints
from harness.cli._files import write_json
from harness.errors import UsageError
from harness.rules import parse_rules, rules_to_dict
from harness.store.runs import MANIFEST, Run
from harness.types import RuleResult, RuleSet, Status, Verdict

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
WEIGHTS = "adapter_model.safetensors"
VERDICT_TEST = "verdict"
"""Name of the test that only SHIP passes."""

Descriptor = dict[str, Any]
"""A ResourceDescriptor: a name, and a digest or uri, and annotations."""
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Subject:
    """What a statement is about."""

    descriptor: Descriptor
    warning: str | None = None
    """Said where it is not about an adapter."""


def subject(run: Run, candidate: str | None, file: Path | None) -> Subject:
    """The candidate's adapter by the SHA-256 of its weights file.

    That of the run; of an imported run, ``file``'s; where neither is known, the run itself.
    Raises UsageError for a ``file`` that is not the adapter that was measured.
    """
    entry = run.manifest["variants"].get(candidate) or {}
    known = (entry.get("fingerprints") or {}).get("adapter_file_sha256")
    if file is None:
        if known is not None:
            return Subject(_digest(WEIGHTS, known))
        about = "has none" if entry.get("has_adapter") is False else "is not known"
        return Subject(
            _digest(MANIFEST, _manifest_sha256(run)),
            f"The adapter of {_named(candidate)} {about}, so the statement is about the run "
            f"({MANIFEST}) and vouches for no adapter."
            + ("" if about == "has none" else " Name its weights with --attest-subject."),
        )
    try:
        found = fingerprints.of_file(file)
    except OSError as error:
        raise UsageError(f"Cannot read '{file}': {error.strerror or error}.") from error
    if known is not None and found != known:
        raise UsageError(
            f"'{file}' ({found[:12]}) is not the adapter that this run measured ({known[:12]}). "
            "Name that one, or leave --attest-subject out."
        )
    if known is None and entry.get("has_adapter") is not None:
        raise UsageError(
            f"This run does not know '{file}' as the adapter of {_named(candidate)}: "
            + ("measure again." if entry["has_adapter"] else "that variant has no adapter.")
        )
    return Subject(_digest(file.name, found))


def write_statement(
    target: Path,
    file: Path | None,
    run: Run,
    verdict: Verdict,
    *,
    rules: RuleSet | None,
    sequential: bool,
) -> None:
    """Write the Statement to ``target``; ``file``: its weights, where the user names it."""
    about = subject(run, verdict.candidate, file)
    content = statement(run, verdict, about, rules=rules, sequential=sequential)
    write_json(content, os.fspath(target.absolute()))
    if about.warning is not None:
        click.echo(f"Warning: {about.warning}", err=True)


def statement(
    run: Run, verdict: Verdict, about: Subject, *, rules: RuleSet | None, sequential: bool
) -> dict[str, Any]:
    """The Statement; the same bytes for the same run, rules and release of the harness.

    ``rules``: None for the run's own.
    """
    stored = run.manifest.get("rules")
    if rules is None and stored is not None:
        rules = parse_rules(stored, where=f"{run.path}/{MANIFEST}: rules")
    return {
        "_type": STATEMENT,
        "subject": [about.descriptor],
        "predicateType": PREDICATE,
        "predicate": {
            "result": "PASSED" if verdict.status is Status.SHIP else "FAILED",
            "configuration": [
                _decided(run, verdict, sequential),
                *_of_rules(rules),
                *_of_files(run),
                *_of_tasks(run),
                *_of_variants(run),
                *_of_harness(run),
            ],
            **_tests(run, verdict),
        },
    }


def _tests(run: Run, verdict: Verdict) -> dict[str, list[str]]:
    """Names by outcome. Rows that share a name pass only together; of a changed run none does."""
    failed: set[str] = set()
    warned: set[str] = set()
    if verdict.status is not Status.SHIP:
        failed.add(VERDICT_TEST)
    for row in verdict.rules:
        if row.status is not Status.SHIP or run.tampered:
            (failed if row.gating else warned).add(_name(row))
    names = dict.fromkeys([VERDICT_TEST, *map(_name, verdict.rules)])
    return {
        "passedTests": [n for n in names if n not in failed | warned],
        "warnedTests": [n for n in names if n in warned],
        "failedTests": [n for n in names if n in failed],
    }


def _name(row: RuleResult) -> str:
    """Such as ``exact_match superior task=codes versus=few_shot margin=0.02``."""
    parts = {"task": row.task, "slice": row.slice, "versus": row.versus, "margin": row.margin}
    said = [
        f"{k}={v:g}" if k == "margin" else f"{k}={v}" for k, v in parts.items() if v is not None
    ]
    return " ".join([row.metric, row.role, *said, *(() if row.gating else ("advisory",))])


def _decided(run: Run, verdict: Verdict, sequential: bool) -> Descriptor:
    """The run, and in words what a test's name cannot hold."""
    annotations = {
        "verdict": verdict.status.value,
        "candidate": verdict.candidate,
        "recommendation": verdict.recommendation,
        "sequential": sequential or isinstance(run.manifest.get("sequential"), dict),
        **{k: run.manifest.get(k) for k in ("kind", "suite", "created", "seed", "limit")},
    }
    return {**_digest(MANIFEST, _manifest_sha256(run)), "annotations": annotations}


def _of_rules(rules: RuleSet | None) -> Iterator[Descriptor]:
    if rules is not None:
        content = rules_to_dict(rules)
        yield {**_digest("rules", fingerprints.of(content)), "annotations": content}


def _of_files(run: Run) -> Iterator[Descriptor]:
    yield from _digests("", run.manifest.get("files") or {})
    whole = {"fingerprint": "fingerprint", "manifest": "manifest_sha256"}
    yield from _digests("", {name: run.manifest.get(key) for name, key in whole.items()})


def _of_tasks(run: Run) -> Iterator[Descriptor]:
    for name, task in run.manifest["tasks"].items():
        yield from _digests(f"task/{name}/", _hashes(task))


def _of_variants(run: Run) -> Iterator[Descriptor]:
    """Each variant's recipe and identities, then those identities that are hashes."""
    for name, entry in run.manifest["variants"].items():
        identity = {"recipe": entry.get("recipe"), "fingerprints": entry.get("fingerprints")}
        if any(identity.values()):
            whole = _digest(f"variant/{name}", fingerprints.of(identity))
            yield {**whole, "annotations": identity}
        yield from _digests(f"variant/{name}/", _hashes(entry.get("fingerprints") or {}))


def _of_harness(run: Run) -> Iterator[Descriptor]:
    for name, version in (
        ("measured by", run.manifest.get("harness_version")),
        ("decided by", __version__),
    ):
        if version is not None:
            yield {"name": name, "uri": f"pkg:pypi/shipworthy@{version}"}


def _hashes(values: Mapping[str, Any]) -> dict[str, Any]:
    """``a_sha256`` as ``a``; of an object of them, ``a/key`` for each."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if key.endswith("_sha256"):
            name = key.removesuffix("_sha256")
            parts = value if isinstance(value, Mapping) else {"": value}
            found |= {f"{name}/{part}".rstrip("/"): hash_ for part, hash_ in parts.items()}
    return found


def _digests(prefix: str, values: Mapping[str, Any]) -> Iterator[Descriptor]:
    for name, value in values.items():
        if isinstance(value, str) and _SHA256.fullmatch(value):
            yield _digest(prefix + name, value)


def _digest(name: str, sha256: str) -> Descriptor:
    return {"name": name, "digest": {"sha256": sha256}}


def _manifest_sha256(run: Run) -> str:
    if run.path is None:
        raise UsageError("A run that was never written cannot be attested.")
    return fingerprints.of_file(run.path / MANIFEST)


def _named(candidate: str | None) -> str:
    return "the candidate" if candidate is None else f"'{candidate}'"
