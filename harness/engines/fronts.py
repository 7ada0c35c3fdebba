"""From conversations to prompts for one model's folder, and what identifies them.

The tokenizer, and with it transformers and torch, is loaded when a prompt is asked for that is not
known from before: a run that is all cached starts in a fraction of the time.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from harness import fingerprints, models
from harness.types import Memo, Message, Prompt

VERSION = 1
"""Raise it when a change here or in ``models.render`` can change a prompt."""
_FILES = (
    *("config.json", "generation_config.json", "tokenizer_config.json", "chat_template.jinja"),
    *("special_tokens_map.json", "added_tokens.json", "tokenizer.json", "tokenizer.model"),
    *("vocab.json", "vocab.txt", "merges.txt", "spiece.model"),
)
_PACKAGES = ("transformers", "tokenizers", "jinja2")


class Front:
    """``memo``: where prompts and facts are kept; None: nowhere. Raises SuiteError as
    ``models.load_tokenizer`` and ``models.render``."""

    def __init__(self, folder: Path, memo: Memo | None = None) -> None:
        self.folder = folder
        self._memo = memo

    @cached_property
    def tokenizer(self) -> Any:
        return models.load_tokenizer(self.folder)

    @property
    def template_sha256(self) -> str:
        return str(self._facts["template_sha256"])

    @property
    def end_tokens(self) -> frozenset[int]:
        return frozenset(self._facts["end_tokens"])

    @property
    def context_length(self) -> int:
        return int(self._facts["context_length"])

    def prompts(self, conversations: Sequence[Sequence[Message]]) -> list[Prompt]:
        """The conversations as they will be sent, in order."""
        if self._memo is None:
            return self.rendered(conversations)
        keys = [fingerprints.of(["prompt", self._sha256, list(c)]) for c in conversations]
        known = {key: _unpacked(value) for key, value in self._memo.get_many(keys).items()}
        left = {k: c for k, c in zip(keys, conversations, strict=True) if k not in known}
        made = dict(zip(left, self.rendered(list(left.values())), strict=True))
        self._memo.put_many([(key, _packed(prompt)) for key, prompt in made.items()])
        known |= {key: (prompt.text, prompt.tokens or ()) for key, prompt in made.items()}
        return [Prompt(tuple(c), *known[key]) for key, c in zip(keys, conversations, strict=True)]

    def rendered(self, conversations: Sequence[Sequence[Message]]) -> list[Prompt]:
        """The same, made anew."""
        if not conversations:
            return []
        texts = [models.render(self.tokenizer, c) for c in conversations]
        ids = models.encode(self.tokenizer, texts)
        return [
            Prompt(tuple(c), text, tuple(tokens))
            for c, text, tokens in zip(conversations, texts, ids, strict=True)
        ]

    # ---- what it is

    @cached_property
    def _sha256(self) -> str:
        """Of all that can change a prompt."""
        files = {n: self.folder / n for n in _FILES if (self.folder / n).is_file()}
        return fingerprints.of(
            {
                "version": VERSION,
                "date": models.DATE.isoformat(),
                "files": {name: fingerprints.of_file(path) for name, path in files.items()},
                "packages": models.versions(_PACKAGES),
            }
        )

    @cached_property
    def _facts(self) -> Mapping[str, Any]:
        key = fingerprints.of(["facts", self._sha256])
        known = {} if self._memo is None else self._memo.get_many([key])
        if key in known:
            return known[key]
        facts = {
            "template_sha256": models.template_sha256(self.tokenizer),
            "end_tokens": sorted(models.end_tokens(self.folder, self.tokenizer)),
            "context_length": models.context_length(self.folder),
        }
        if self._memo is not None:
            self._memo.put_many([(key, facts)])
        return facts


def _packed(prompt: Prompt) -> dict[str, str]:
    """As text that is about a fifth of the size: thousands of prompts share most of theirs."""
    text = json.dumps([prompt.text, prompt.tokens], separators=(",", ":"))
    return {"zlib": base64.b85encode(zlib.compress(text.encode())).decode()}


def _unpacked(value: Mapping[str, Any]) -> tuple[str, tuple[int, ...]]:
    text, tokens = json.loads(zlib.decompress(base64.b85decode(value["zlib"])))
    return text, tuple(tokens)
