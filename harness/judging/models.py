"""One model that judges, on an OpenAI-compatible server."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.endpoints.addresses import wrong_key_name, wrong_url
from harness.errors import SuiteError

_OURS = frozenset({"model", "messages", "max_tokens", "temperature", "seed", "n", "stream"}) | {
    "response_format"
}


@dataclass(frozen=True)
class JudgeModel:
    """A model and the server that has it. Raises SuiteError for what cannot be right."""

    model: str
    """What the server calls it."""
    base_url: str
    """With the version: ``http://localhost:8000/v1``."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; never the key."""
    name: str | None = None
    """In tables; None: ``model``."""
    temperature: float = 0.0
    max_tokens: int = 512
    """Of one verdict."""
    concurrency: int = 16
    """Most requests under way at a time."""
    timeout_s: float = 120.0
    max_retries: int = 5
    cost_per_1k_tokens: float | None = None
    """Price of 1,000 tokens (in and out), in any one currency."""
    extra_body: Mapping[str, Any] | None = None
    """Further keys of every request, as this server knows them."""

    def __post_init__(self) -> None:
        where = f"The judge '{self.model}'"
        if not isinstance(self.model, str) or not self.model.strip():
            raise SuiteError(f"A judge's model must be a name, got {self.model!r}.")
        wrong = wrong_url(self.base_url) or wrong_key_name(self.api_key_env)
        if wrong:
            raise SuiteError(f"{where}: {wrong}")
        self._check_numbers(where)
        both = sorted(_OURS & (self.extra_body or {}).keys())
        if both:
            raise SuiteError(f"{where}: extra_body: '{both[0]}' is set by the harness. Remove it.")

    def _check_numbers(self, where: str) -> None:
        least = {"max_tokens": 1, "concurrency": 1, "max_retries": 0}
        for key, low in least.items():
            value = getattr(self, key)
            if type(value) is not int or value < low:
                raise SuiteError(
                    f"{where}: {key} must be a whole number from {low}, got {value!r}."
                )
        for key in ("temperature", "timeout_s", "cost_per_1k_tokens"):
            value = getattr(self, key)
            if value is None and key == "cost_per_1k_tokens":
                continue
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise SuiteError(f"{where}: {key} must be a number, got {value!r}.")
            if not math.isfinite(value) or value < 0 or (key == "timeout_s" and value == 0):
                raise SuiteError(f"{where}: {key} must be a positive number, got {value!r}.")

    @property
    def title(self) -> str:
        return self.name or self.model

    @property
    def identity(self) -> dict[str, Any]:
        """All of it that can change a verdict."""
        return {
            "model": self.model,
            "base_url": self.base_url.rstrip("/"),
            "temperature": float(self.temperature),
            "max_tokens": self.max_tokens,
            "extra_body": dict(self.extra_body or {}),
        }
