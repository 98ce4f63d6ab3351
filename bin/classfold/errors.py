"""How a stage ends when it cannot go on: one sentence for the user's mistakes, a traceback for ours."""

from __future__ import annotations

import sys

import click

INPUT_ERROR_EXIT_CODE = 2


class InputError(ValueError):
    """Input that a person has to mend: the message says what was got, what is allowed and how to fix it."""


def run_stage(command: click.Command) -> None:
    """Run a stage's command; an :class:`InputError` becomes one sentence on stderr and exit code 2."""
    try:
        command.main(standalone_mode=False)
    except InputError as error:
        click.echo(f"{command.name}: {error}", err=True)
        sys.exit(INPUT_ERROR_EXIT_CODE)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
