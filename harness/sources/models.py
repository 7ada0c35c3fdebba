"""Model folders: safetensors, config and tokenizer in the form that transformers loads."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
from pathlib import Path

from harness import fingerprints
from harness.errors import MissingExtra, SourceError
from harness.models import require_torch
from harness.sources import hashes
from harness.sources.fetching import fetch
from harness.sources.folders import Progress, cache_dir, locked, new_folder
from harness.sources.hub import PICKLES
from harness.sources.reference import Reference

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.txt", "vocab.json", "spiece.model")
PROVENANCE = "provenance.json"


def model_folder(
    reference: str | Reference, *, base: Path | None = None, progress: Progress | None = None
) -> Path:
    """A folder with safetensors, ``config.json`` and a tokenizer, from any reference.

    A GGUF file (or a folder whose only weights are one) is converted to bf16 safetensors once
    and kept in the cache. Raises SourceError where the reference leads to no loadable model.
    """
    found = fetch(reference, base=base, progress=progress)
    if found.is_dir() and not any(found.glob("*.safetensors")):
        packed = sorted(found.glob("*.gguf"))
        if len(packed) > 1:
            names = ", ".join(p.name for p in packed)
            raise SourceError(f"'{reference}' holds several GGUF files: {names}. Name one.")
        found = packed[0] if packed else found
    if found.is_file():
        if found.suffix.lower() != ".gguf":
            raise SourceError(
                f"'{reference}' is the file {found.name}, not a model. "
                "Name the folder that holds it, or a GGUF file."
            )
        return _converted(found, str(reference), progress)
    _check(found, str(reference))
    return found


def weights_sha256(folder: Path) -> str:
    """SHA-256 (hex) over the names and contents of a model's or adapter's weights.

    That is every ``*.safetensors`` file at the top of ``folder``, and what says how they are
    used: ``config.json`` and ``adapter_config.json`` (the same matrices with another
    ``lora_alpha`` are another adapter), without the keys that only record where a file came
    from. Raises SourceError where there are no weights.
    """
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise SourceError(f"{folder} holds no safetensors weights.")
    content: dict[str, object] = {path.name: hashes.file_sha256(path) for path in weights}
    for name in ("config.json", "adapter_config.json"):
        if (folder / name).is_file():
            content[name] = _settings(folder / name)
    return fingerprints.of(content)


def _settings(path: Path) -> dict[str, object]:
    try:
        settings = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise SourceError(f"{path} is not JSON: {error}.") from error
    history = {
        "_name_or_path",
        "base_model_name_or_path",
        "revision",
        "transformers_version",
        "peft_version",
    }
    return {key: value for key, value in settings.items() if key not in history}


def _check(folder: Path, reference: str) -> None:
    missing = []
    if not any(folder.glob("*.safetensors")):
        missing.append("safetensors weights")
    if not (folder / "config.json").is_file():
        missing.append("config.json")
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        missing.append("a tokenizer")
    if not missing:
        return
    hint = ""
    if (folder / "adapter_config.json").is_file():
        hint = " It is an adapter: name it as a variant's adapter, and its base as the model."
    elif any(p.suffix in PICKLES for p in folder.iterdir()):
        hint = " Pickled weights are not loaded; convert them to safetensors."
    raise SourceError(f"'{reference}' ({folder}) lacks {', '.join(missing)}.{hint}")


def _converted(gguf: Path, reference: str, progress: Progress | None) -> Path:
    digest = hashes.file_sha256(gguf)
    home = cache_dir() / "converted" / digest
    final = home / "bf16"
    if final.is_dir():
        return final
    with locked(home, progress):
        # Another process may have converted it while this one waited.
        if not final.is_dir():
            if progress:
                progress(f"converting {gguf.name} to safetensors (once)")
            with new_folder(final) as folder:
                _convert(gguf, folder)
                origin = {"reference": reference, "gguf_sha256": digest, "dtype": "bfloat16"}
                (folder / PROVENANCE).write_text(json.dumps(origin, indent=2) + "\n", "utf-8")
                _check(folder, reference)
    return final


def _convert(gguf: Path, folder: Path) -> None:
    torch = require_torch()
    if importlib.util.find_spec("gguf") is None:
        raise MissingExtra("gguf", "local", "Converting a GGUF file")
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    try:
        # transformers draws bars of its own here that no setting of it turns off.
        with contextlib.redirect_stderr(io.StringIO()):
            model = AutoModelForCausalLM.from_pretrained(
                gguf.parent,
                gguf_file=gguf.name,
                # Without it the weights stay packed and refuse to be saved.
                quantization_config=GgufConfig(dequantize=True),
                dtype=torch.bfloat16,
            )
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    except Exception as error:
        raise SourceError(
            f"{gguf} could not be converted: {type(error).__name__}: {error}. It may be damaged "
            "or of an architecture that transformers cannot read from GGUF."
        ) from error
    for file in folder.iterdir():
        # safetensors writes 0600, which would hide a shared cache from its other users.
        file.chmod(0o644)
