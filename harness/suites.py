"""Loads a suite: a ``suite.py`` that defines ``suite``, by path, and checks what it says."""

from __future__ import annotations

import hashlib
import importlib
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.errors import HarnessError, SuiteError, UsageError, did_you_mean
from harness.recipes import check_name, variant_from_dict, variant_to_dict
from harness.rules import parse_rules, rules_to_dict
from harness.types import Data, RuleSet, Suite, Task, Variant


def load_suite(path: str | Path, *, check_scorer: Callable[[Any], object] | None = None) -> Suite:
    """The suite of a folder with a ``suite.py``, or of such a file.

    Helper modules beside it can be imported by it, at its top or in its data functions, and do
    not clash with those of another suite. ``check_scorer`` is called with every scorer (a name or
    an object) and raises UsageError for a bad one. Relative references in variants start at the
    suite's folder. Raises SuiteError: no such file, a syntax error as Python shows it, an
    exception (also of a data function, when it is called) with the user's own frames, names
    twice, no task, no variant, an unknown candidate.
    """
    file = _find(Path(path))
    helpers: dict[str, ModuleType] = {}
    namespace = run_file(file, helpers)
    suite = namespace.get("suite")
    if not isinstance(suite, Suite):
        raise SuiteError(f"{file} {_no_suite(namespace)}")
    _check_tasks(suite.tasks, file, check_scorer)
    _check_names(suite.variants, Variant, "variant", file)
    _check_rules(suite, file)
    check_name(suite.name, f"{file}: the suite's name")
    return replace(
        suite,
        tasks=tuple(_guarded(_placed(task, file), file, helpers) for task in suite.tasks),
        variants=tuple(_checked(variant, file) for variant in suite.variants),
    )


def _find(path: Path) -> Path:
    file = path / "suite.py" if path.is_dir() else path
    if file.is_file():
        return file.absolute()
    if path.is_dir():
        raise SuiteError(f"{path} has no suite.py.")
    nearby = Path("suites") / path / "suite.py"
    hint = f" Did you mean '{nearby.parent}'?" if nearby.is_file() else ""
    raise SuiteError(f"There is no suite at '{path}': neither a file nor a folder.{hint}")


def run_file(file: Path, helpers: dict[str, ModuleType], *, what: str = "suite") -> dict[str, Any]:
    """Execute the file as a module of a unique name, and return what it defines.

    ``helpers`` is given the modules beside it that it imported. Raises SuiteError as
    ``load_suite``; ``what`` says there what kind of file it is.
    """
    name = f"suite_{hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:16]}"
    module = ModuleType(name)
    module.__file__ = str(file)
    # Dataclasses and pickles look their module up.
    sys.modules[name] = module
    try:
        code = compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
        with _importable(file.parent, helpers):
            exec(code, module.__dict__)
    except (HarnessError, KeyboardInterrupt):
        raise
    except SyntaxError as error:
        shown = "".join(traceback.format_exception_only(error)).rstrip()
        raise SuiteError(f"The {what} has a syntax error.\n{shown}") from error
    except BaseException as error:
        raise SuiteError(_failure(f"{file} could not be loaded.", file.parent, error)) from error
    return vars(module)


def _failure(what: str, folder: Path, error: BaseException) -> str:
    """The traceback, but for frames that are not the user's."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(folder)]
    shown = "".join(traceback.format_list(own) + traceback.format_exception_only(error))
    return f"{what}\n{shown.rstrip()}"


@contextmanager
def _importable(folder: Path, helpers: dict[str, ModuleType]) -> Iterator[None]:
    """Let modules beside the suite be imported, and leave no trace of them.

    ``helpers`` keeps those it has imported. Modules of other places under the same names (another
    suite's helpers) are out of sight meanwhile.
    """
    names = {p.stem for p in folder.glob("*.py")}
    names |= {p.parent.name for p in folder.glob("*/__init__.py")}
    names -= {*sys.stdlib_module_names, "harness"}
    hidden = _taken_out(names)
    sys.modules.update(helpers)
    bytecode = sys.dont_write_bytecode
    # A helper edited within a second, to the same length, would be served from stale bytecode.
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
        sys.dont_write_bytecode = bytecode
        helpers.update(_taken_out(names))
        sys.modules.update(hidden)


def _taken_out(names: Set[str]) -> dict[str, ModuleType]:
    """Modules of those top-level names, no longer in ``sys.modules``."""
    found = [name for name in sys.modules if name.split(".")[0] in names]
    return {name: sys.modules.pop(name) for name in found}


def _placed(task: Task, file: Path) -> Task:
    return replace(task, scorers=tuple(_in_folder(one, file.parent) for one in task.scorers))


def _in_folder(scorer: Any, folder: Path) -> Any:
    """A scorer that reads files is told where relative paths start."""
    told = getattr(type(scorer), "in_folder", None)
    return scorer if told is None else told(scorer, folder)


def _guarded(task: Task, file: Path, helpers: dict[str, ModuleType]) -> Task:
    """A data function is called long after loading: it may import a helper only then, and a
    mistake in it is one in the suite."""
    make = task.data
    if isinstance(make, Data):
        return task

    def data(seed: int) -> Data:
        try:
            with _importable(file.parent, helpers):
                return make(seed)
        except (HarnessError, KeyboardInterrupt):
            raise
        except BaseException as error:
            what = f"{file}: the data of task '{task.name}' could not be made."
            raise SuiteError(_failure(what, file.parent, error)) from error

    return replace(task, data=data)


def _no_suite(namespace: dict[str, Any]) -> str:
    if "suite" in namespace:
        kind = type(namespace["suite"]).__name__
        return f"defines 'suite' as {kind}; it must be a harness.Suite."
    others = [name for name, value in namespace.items() if isinstance(value, Suite)]
    hint = f" (It defines one as '{others[0]}': rename it.)" if others else ""
    return f"must define 'suite', a harness.Suite.{hint}"


def _check_tasks(
    tasks: Sequence[Task], file: Path, check_scorer: Callable[[Any], object] | None
) -> None:
    _check_names(tasks, Task, "task", file)
    for task in tasks:
        where = f"{file}: task '{task.name}'"
        if not isinstance(task.data, Data) and not callable(task.data):
            raise SuiteError(f"{where}: data must be a Data, or a function from a seed to one.")
        if "{input}" not in task.prompt:
            raise SuiteError(f"{where}: the prompt lacks '{{input}}', so no question gets into it.")
        for part in ("{documents}", "{question}"):
            if part not in task.passages:
                raise SuiteError(f"{where}: passages lacks '{part}'.")
        if task.max_new_tokens < 1:
            raise SuiteError(f"{where}: max_new_tokens must be at least 1.")
        if isinstance(task.scorers, str) or not task.scorers:
            raise SuiteError(f"{where}: scorers must be a list with at least one scorer.")
        for scorer in task.scorers:
            try:
                if check_scorer is not None:
                    check_scorer(_in_folder(scorer, file.parent))
            except UsageError as error:
                raise SuiteError(f"{where}: {error}") from error


def _checked(variant: Variant, file: Path) -> Variant:
    """A variant made in Python held to what a recipe file is held to."""
    where = f"{file}: variant '{variant.name}'"
    return variant_from_dict(variant_to_dict(variant), where=where, folder=file.parent)


def _check_names(items: Sequence[Any], kind: Any, what: str, file: Path) -> None:
    if not isinstance(items, Sequence) or not items:
        raise SuiteError(f"{file}: the suite needs at least one {what}.")
    seen: set[str] = set()
    for item in items:
        if not isinstance(item, kind):
            raise SuiteError(f"{file}: {item!r} among the {what}s is not a {kind.__name__}.")
        check_name(item.name, f"{file}: the {what}'s name")
        if item.name in seen:
            raise SuiteError(f"{file}: two {what}s are named '{item.name}'. Rename one.")
        seen.add(item.name)


def _check_rules(suite: Suite, file: Path) -> None:
    rules = suite.rules
    if rules is None:
        return
    if not isinstance(rules, RuleSet):
        raise SuiteError(
            f"{file}: rules must be a harness.RuleSet, got {type(rules).__name__}. "
            "For a rules file use harness.rules.load_rules."
        )
    # A rule made in Python is held to what a rules file is held to.
    parse_rules(rules_to_dict(rules), where=f"{file}: rules")
    variants = [variant.name for variant in suite.variants]
    tasks = [task.name for task in suite.tasks]
    named = [("candidate", rules.candidate, variants)]
    for rule in rules.rules:
        named += [("versus", rule.versus, [*variants, "best"])] if rule.versus else []
        named += [("task", rule.task, tasks)] if rule.task else []
    for key, name, known in named:
        if name not in known:
            raise SuiteError(
                f"{file}: rules: {key} '{name}' is unknown.{did_you_mean(name, known)}"
            )
