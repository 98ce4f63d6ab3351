"""How a stage ends when it cannot go on: one sentence for the user's mistakes, a traceback for ours."""

from __future__ import annotations

import sys
from pathlib import Path

import click

INPUT_ERROR_EXIT_CODE = 2
MEMORY_EXIT_CODE = 137
"""What a task killed for its memory ends with, so that whatever tries those again tries this again."""


class InputError(ValueError):
    """Input that a person has to mend: the message says what was got, what is allowed and how to fix it."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the GPU's or the host's memory did not suffice."""
    # Stages without a network have not loaded torch, and must not do so when memory is out.
    torch = sys.modules.get("torch")
    if isinstance(error, MemoryError) or (torch and isinstance(error, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def run_stage(command: click.Command) -> None:
    """Run a stage's command, and end with one sentence on stderr what is not a fault of the program.

    An :class:`InputError` ends with exit code 2, which is not tried again; memory that does not suffice, even in the
    smallest batches, with 137, which is.
    """
    stage = Path(sys.argv[0]).stem
    try:
        command.main(standalone_mode=False)
    except InputError as error:
        click.echo(f"{stage}: {error}", err=True)
        sys.exit(INPUT_ERROR_EXIT_CODE)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        said = " ".join(str(error).split()) or "the host's memory is used up"
        click.echo(f"{stage}: out of memory: {said}", err=True)
        sys.exit(MEMORY_EXIT_CODE)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
