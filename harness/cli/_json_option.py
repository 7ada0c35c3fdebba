"""The option ``--json``: the result for programs, in a file or alone on standard output."""

from __future__ import annotations

import click

json_option = click.option(
    "--json",
    "json_file",
    metavar="FILE",
    is_flag=False,
    flag_value="-",
    help="Write the result as JSON; '-' or no FILE: to standard output, and nothing else.",
)
