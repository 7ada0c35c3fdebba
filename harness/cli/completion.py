"""``harness completion``: the script by which a shell completes commands and options."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    bash  in ~/.bashrc:  eval "$(harness completion bash)"
    zsh   in ~/.zshrc:   eval "$(harness completion zsh)"
    fish  harness completion fish > ~/.config/fish/completions/harness.fish
    """
    from click.shell_completion import get_completion_class

    from harness.cli import COMPLETE, cli

    found = get_completion_class(shell)
    assert found is not None  # click has all three.
    click.echo(found(cli, {}, "harness", COMPLETE).source())
