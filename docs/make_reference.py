"""Writes ``docs/reference/`` from the code: commands, metrics, types.

``python docs/make_reference.py [FOLDER]``
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

import harness.types
from harness import scorers
from harness.cli import cli
from harness.errors import HarnessError

TYPES = (
    "Sample",
    "Document",
    "Data",
    "Task",
    "Suite",
    "Variant",
    "Server",
    "Shots",
    "Retriever",
    "Adapter",
    "LoraRecipe",
    "Generation",
    "Rule",
    "RuleSet",
    "Metric",
    "Score",
)
"""What a suite is written in; a recipe's and a rules file's keys are the fields of these."""
HEAD = "<!-- Written by docs/make_reference.py: edit the code, not this page. -->\n\n"


def commands() -> str:
    lines = [f"{HEAD}# Commands", ""]
    lines += ["Every option can also be [configured](../how-to/configuration.md).", ""]
    root = click.Context(cli, info_name="harness")
    for name in cli.list_commands(root):
        command = cli.get_command(root, name)
        assert command is not None
        lines += list(_command(command, name, root, level=2))
    return "\n".join(lines).rstrip() + "\n"


def _command(command: click.Command, name: str, above: click.Context, level: int) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=above, terminal_width=88)
    context.max_content_width = 88
    yield from (f"{'#' * level} {context.command_path}", "", "```text")
    yield from (command.get_help(context), "```", "")
    for below, one in getattr(command, "commands", {}).items():
        yield from _command(one, below, context, level + 1)


def metrics() -> str:
    lines = [f"{HEAD}# Metrics", ""]
    lines += ["What each scorer gives with its default options.", ""]
    lines += ["How to read them: [scorers](../scorers.md).", ""]
    lines += ["| scorer | metric | better | range | definition |", "|---|---|---|---|---|"]
    for name in scorers.names():
        try:
            found = scorers.resolve(name).metrics
        except HarnessError:
            lines.append(f"| `{name}` | by its options | | | |")
            continue
        for metric in found:
            ends = ["-∞" if metric.low is None else f"{metric.low:g}"]
            ends += ["∞" if metric.high is None else f"{metric.high:g}"]
            span = " or ".join(ends) if metric.binary else " to ".join(ends)
            better = "higher" if metric.higher_is_better else "lower"
            # The release of a package is the reader's, not the page's.
            text = re.sub(r"\|version:[\d.]+", "", metric.definition)
            text = text.replace("<", "&lt;").replace("|", "\\|")
            lines.append(f"| `{name}` | `{metric.name}` | {better} | {span} | {text} |")
    return "\n".join(lines) + "\n"


def types() -> str:
    """From the source, as a field's docstring is not kept at run time."""
    source = ast.parse(Path(harness.types.__file__).read_text("utf-8"))
    classes = {node.name: node for node in source.body if isinstance(node, ast.ClassDef)}
    lines = [f"{HEAD}# Suites, recipes and rules", ""]
    lines += ["The keys of a recipe are the fields of `Variant` and of the types in it; those of"]
    lines += ["a rules file the fields of `RuleSet` and `Rule`. `harness` exports all of them.", ""]
    for name in TYPES:
        lines += list(_type(classes[name]))
    return "\n".join(lines).rstrip() + "\n"


def _type(node: ast.ClassDef) -> Iterator[str]:
    yield from (f"## {node.name}", "", " ".join((ast.get_docstring(node) or "").split()), "")
    yield from ("| field | type | default | |", "|---|---|---|---|")
    for at, part in enumerate(node.body):
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            kind = ast.unparse(part.annotation).replace("|", "\\|")
            default = "" if part.value is None else f"`{_default(part.value)}`"
            said = _docstring(node.body[at + 1 : at + 2])
            yield f"| `{part.target.id}` | `{kind}` | {default} | {said} |"
    yield ""


def _default(value: ast.expr) -> str:
    text = ast.unparse(value)
    return "{}" if text == "field(default_factory=dict)" else text


def _docstring(following: list[ast.stmt]) -> str:
    for part in following:
        if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant):
            return " ".join(str(part.value.value).split()).replace("``", "`").replace("|", "\\|")
    return ""


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "reference"
    for name, text in (("commands", commands()), ("metrics", metrics()), ("types", types())):
        (place / f"{name}.md").write_text(text, "utf-8")
