"""What a server tells of itself: its models, and what kind and version it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness import fingerprints
from harness.endpoints.client import Endpoint, Failure, Reply

_STEADY = ("id", "root", "parent", "owned_by", "max_model_len", "meta", "lora")
"""Keys of a model's entry that are the same whenever one asks (``created`` is not: vLLM writes
the time of asking)."""


@dataclass(frozen=True)
class Told:
    models: Mapping[str, Mapping[str, Any]] | None
    """Name to entry, as ``/models`` lists them; None: the server does not list any."""
    kind: str | None = None
    """``vLLM``, ``llama.cpp``, ``Ollama``, ``TGI``; None: not known."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Version and build, where the server tells."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """Model name to the hash of its weights (Ollama)."""

    @property
    def loras(self) -> Mapping[str, int]:
        """Names of adapters that a request puts on by number (llama.cpp), and their numbers."""
        known = self.models or {}
        return {name: int(entry["lora"]) for name, entry in known.items() if "lora" in entry}

    def entry(self, name: str) -> Mapping[str, Any] | None:
        """What is told of the model ``name``; None: it is not listed."""
        # Ollama lists `name:latest` for what one asks for as `name`.
        known = self.models or {}
        found = known.get(name) or known.get(f"{name}:latest")
        if found is None:
            return None
        digest = self.digests.get(name) or self.digests.get(f"{name}:latest")
        steady = {key: found[key] for key in _STEADY if found.get(key) is not None}
        return {**steady, "digest": digest} if digest else steady


def ask(endpoint: Endpoint) -> Told:
    """Raises ServerError where the server cannot be reached, or refuses the key."""
    found = endpoint.get("/models")
    if isinstance(found, Failure) and found.status in (401, 403):
        raise endpoint.key_error(found.reason)
    models = _models(found)
    base = re.fullmatch(r"(.+)/v\d+", endpoint.base_url)
    # Below the version there is nothing but the API; what is above it only a server of one's own
    # has, and a hosted one answers 404.
    about = {name: _peek(endpoint, f"{base[1]}/{path}") for name, path in _PAGES} if base else {}
    kind = _kind(models, about)
    told = {name: _known(page, _TOLD[name]) for name, page in about.items() if page}
    if kind == "llama.cpp":
        models = {**(models or {}), **_loras(about["loras"], list(models or {}))}
    return Told(models, kind, {k: v for k, v in told.items() if v}, _digests(about.get("tags")))


_PAGES = (
    ("version", "version"),
    ("props", "props"),
    ("loras", "lora-adapters"),
    ("info", "info"),
    ("ollama", "api/version"),
    ("tags", "api/tags"),
)
_TOLD: Mapping[str, tuple[str, ...]] = {
    "version": ("version",),
    "props": ("build_info", "model_path", "chat_template"),
    "loras": (),
    "info": ("version", "sha", "model_id", "model_sha", "model_dtype", "max_total_tokens"),
    "ollama": ("version",),
    "tags": (),
}


def _known(page: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    found = {key: page[key] for key in keys if page.get(key) is not None}
    if "chat_template" in found:
        found["chat_template"] = fingerprints.of(str(found["chat_template"]))
    return found


def _models(found: Reply | Failure) -> dict[str, Mapping[str, Any]] | None:
    listed = found.content.get("data") if isinstance(found, Reply) else None
    if not isinstance(listed, list):
        return None
    return {str(m["id"]): m for m in listed if isinstance(m, dict) and m.get("id")}


def _peek(endpoint: Endpoint, url: str) -> Mapping[str, Any]:
    found = endpoint.get(url)
    return found.content if isinstance(found, Reply) else {}


def _kind(models: Mapping[str, Any] | None, about: Mapping[str, Mapping[str, Any]]) -> str | None:
    if any(m.get("owned_by") == "vllm" for m in (models or {}).values()):
        return "vLLM"
    if about.get("props", {}).get("build_info"):
        return "llama.cpp"
    if about.get("ollama", {}).get("version"):
        return "Ollama"
    return "TGI" if about.get("info", {}).get("model_id") else None


def _loras(page: Mapping[str, Any], bases: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """llama.cpp's adapters, by the name of their file: they have no other."""
    found: dict[str, Mapping[str, Any]] = {}
    for one in page.get("data") or ():
        known = isinstance(one, dict) and isinstance(one.get("path"), str)
        if known and type(one.get("id")) is int:
            name = re.split(r"[/\\]", one["path"])[-1].removesuffix(".gguf")
            base = bases[0] if len(bases) == 1 else None
            found[name] = {"id": name, "root": one["path"], "parent": base, "lora": one["id"]}
    return found


def _digests(page: Mapping[str, Any] | None) -> dict[str, str]:
    listed = (page or {}).get("models")
    if not isinstance(listed, list):
        return {}
    return {
        str(m["name"]): str(m["digest"])
        for m in listed
        if isinstance(m, dict) and m.get("name") and m.get("digest")
    }
