"""Which version of a user's function is it? A hash of all that it was written as."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import BuiltinFunctionType
from typing import Any

from harness import fingerprints


def digest(function: Any) -> str:
    """SHA-256 (hex) of the file that defines the function, of the files beside it that this one
    imports (and they in turn), and of the values that the function holds (defaults, closure).

    A function of no file (a notebook's) is hashed by its own text. Raises ValueError where the
    source cannot be read or a value cannot be hashed.
    """
    return fingerprints.of(_said(function, set()))


def _said(function: Any, seen: set[int]) -> Any:
    if id(function) in seen:
        return "itself"
    seen.add(id(function))
    code = getattr(function, "__code__", None)
    if code is None and hasattr(function, "__wrapped__"):
        return _said(function.__wrapped__, seen)
    if code is None:
        raise ValueError(f"the source of a {type(function).__name__} cannot be read")
    file = Path(code.co_filename)
    if file.is_file():
        source: Any = {name: hashlib.sha256(content).hexdigest() for name, content in _files(file)}
    else:
        try:
            source = inspect.getsource(function)
        except OSError as error:
            raise ValueError("its source cannot be read") from error
    return [source, function.__qualname__, [_held(value, seen) for value in _values(function)]]


def _values(function: Any) -> Iterator[Any]:
    if hasattr(function, "__self__"):
        yield function.__self__
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    for cell in function.__closure__ or ():
        yield cell.cell_contents


def _held(value: Any, seen: set[int]) -> Any:
    if isinstance(value, type):
        if "<locals>" in value.__qualname__:
            raise ValueError(f"it holds the class {value.__name__}, which a function makes")
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, BuiltinFunctionType):
        owner = value.__self__
        own = None if owner is None or inspect.ismodule(owner) else _held(owner, seen)
        return [f"{value.__module__}.{value.__qualname__}", own]
    if callable(value):
        return _said(value, seen)
    try:
        return fingerprints.plain(value)
    except TypeError as error:
        if type(value).__module__ != "builtins" and hasattr(value, "__dict__"):
            # The object of a method: its class is in a file, what it holds is not.
            return [_held(type(value), seen), {k: _held(v, seen) for k, v in vars(value).items()}]
        raise ValueError(f"it holds a {type(value).__name__}, which cannot be hashed") from error


def _files(file: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of the file (which has no name, as it may be renamed) and of its helpers."""
    folder, seen, left = file.parent, set(), [file]
    while left:
        path = left.pop()
        if path in seen:
            continue
        seen.add(path)
        content = path.read_bytes()
        yield "" if path == file else path.relative_to(folder).as_posix(), content
        for name in _imported(content):
            if (folder / f"{name}.py").is_file():
                left.append(folder / f"{name}.py")
            elif (folder / name).is_dir():
                left += (folder / name).rglob("*.py")


def _imported(content: bytes) -> set[str]:
    """Top-level names of the modules that a file imports, at its top or inside a function, but
    for those that ``harness.suites`` never takes from beside a file."""
    try:
        nodes = list(ast.walk(ast.parse(content)))
    except (SyntaxError, ValueError):
        return set()
    names = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            # `from . import a` names its modules last.
            names |= {node.module} if node.module else {a.name for a in node.names}
    return {name.split(".")[0] for name in names} - {*sys.stdlib_module_names, "harness"}
