"""The option ``--device``: what may be written; whether it is there is known when torch loads."""

from __future__ import annotations

import re

import click

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def _known(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not _DEVICE.fullmatch(value):
        raise click.BadParameter(
            f"'{value}' is no device. Write auto, cpu, mps, cuda or cuda:N.", ctx, param
        )
    return value


device = click.option(
    "--device",
    callback=_known,
    default="auto",
    show_default=True,
    metavar="D",
    help="auto, cpu, mps, cuda or cuda:N.",
)
