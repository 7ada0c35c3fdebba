"""The command line. Each command is a file of this package, imported when it is called.

A command file ``name.py`` (with ``-`` written ``_``) defines one click command ``command``.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress

import click

from harness import __version__
from harness.errors import HarnessError

INTERNAL_ERROR = 70
INTERRUPTED = 130
COMPLETE = "_HARNESS_COMPLETE"
"""Variable in which a shell says what it wants to complete."""
READER_LEFT = 141
"""As a shell has it for a program that SIGPIPE ended."""


class _ReaderLeft(Exception):
    """Nobody reads the output any more (`harness ... | head`). Not an OSError, which click would
    turn into exit code 1: HOLD."""


class _Commands(click.Group):
    """Finds the commands by looking at the package, and imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        names = (m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
        return sorted(name.removesuffix("_command") for name in names)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(ctx):
            return None
        # `import` is a keyword, so its file is import_command.py.
        module = "import_command" if name == "import" else name
        command: click.Command = importlib.import_module(f"harness.cli.{module}").command
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            code = super().invoke(ctx)
            # What is still in the buffer may find that nobody reads, too.
            sys.stdout.flush()
        except BrokenPipeError as error:
            raise _ReaderLeft from error
        return code

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from harness.errors import did_you_mean

        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            hint = did_you_mean(args[0], self.list_commands(ctx))
            raise click.UsageError(f"There is no command '{args[0]}'.{hint}", ctx)
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and command is not None:
            self._configure(ctx, name, command)
        return name, command, rest

    def _configure(self, ctx: click.Context, name: str, command: click.Command) -> None:
        from harness import settings
        from harness.cli import _configured

        found = settings.project()
        settings.check_names(found, [*self.list_commands(ctx), "pytest"])
        settings.apply_global(found)
        _configured.give_variables(command, name)
        ctx.default_map = {name: _configured.defaults(command, found, name)}


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="harness")
@click.option("--debug", is_flag=True, envvar="HARNESS_DEBUG", help="Show tracebacks.")
def cli(debug: bool) -> None:
    """Is this adapter worth shipping, or would a prompt or retrieval do?"""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with the exit codes of docs/architecture.md.

    0 to 4 are only ever deliberate: an uncaught exception exits 70, so that a crash cannot be
    read as HOLD (a bare Python crash exits 1). Commands return their code; a SystemExit is
    therefore never theirs, and exits 70 too.
    """
    if instruction := os.environ.get(COMPLETE):
        sys.exit(_complete(instruction))
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments or bool(os.environ.get("HARNESS_DEBUG"))
    # Accepted anywhere on the line, as people add it to a command that has just failed.
    arguments = [a for a in arguments if a != "--debug"]
    if debug:
        arguments.insert(0, "--debug")
    try:
        code = cli.main(args=arguments, prog_name="harness", standalone_mode=False)
    except click.exceptions.Abort:
        code = _say("Interrupted. What was done is kept; the same command continues.", INTERRUPTED)
    except KeyboardInterrupt:
        code = _say("Interrupted. What was done is kept; the same command continues.", INTERRUPTED)
    except click.ClickException as error:
        error.show()
        _tell_where(error)
        code = 2
    except (_ReaderLeft, BrokenPipeError):
        # Nothing is left to say; Python's own flush at the end must not say so either.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        code = READER_LEFT
    except HarnessError as error:
        if debug:
            traceback.print_exc()
        code = _say(f"Error: {error}", error.exit_code)
    except BaseException as error:
        # SystemExit too, and what pytest raises in a file of the user's.
        if debug:
            traceback.print_exc()
        code = _say(
            f"Internal error: {type(error).__name__}: {error}\n"
            "This is a defect of the harness. Run again with --debug for the traceback.",
            INTERNAL_ERROR,
        )
    sys.exit(code if isinstance(code, int) else 0)


def _tell_where(error: click.ClickException) -> None:
    from harness import settings
    from harness.cli._configured import told_where

    with suppress(HarnessError):
        if where := told_where(error, settings.project()):
            click.echo(where, err=True)


def _complete(instruction: str) -> int:
    """What a shell asks for while somebody types (`harness completion`)."""
    from click.shell_completion import shell_complete

    with suppress(HarnessError):
        return shell_complete(cli, {}, "harness", COMPLETE, instruction)
    # A mistake in a file is no reason to write into somebody's prompt.
    return 0


def _say(message: str, code: int) -> int:
    click.echo(message, err=True)
    return code
