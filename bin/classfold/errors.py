"""How a stage ends when it cannot go on: one sentence for the user's mistakes, a traceback for ours."""

from __future__ import annotations

import errno
import os
import re
import sys
from pathlib import Path

import click
from safetensors import SafetensorError

INPUT_ERROR_EXIT_CODE = 2
MEMORY_EXIT_CODE = 137
"""What a task killed for its memory ends with, so that whatever tries those again tries this again."""

STORAGE_EXIT_CODE = 74
"""EX_IOERR of sysexits.h: files could not be written. The code must tell, for a full disk takes no words."""

MAKE_ROOM = "make room there, then start the same command again with -resume"
ANOTHER_FOLDER = "have its rights changed, or give a folder that can be written"
STORAGE_FAULTS = {
    errno.ENOSPC: MAKE_ROOM,
    errno.EDQUOT: MAKE_ROOM,
    errno.EFBIG: MAKE_ROOM,
    errno.EROFS: ANOTHER_FOLDER,
    errno.EACCES: ANOTHER_FOLDER,
    errno.EPERM: ANOTHER_FOLDER,
}
# What safetensors says instead of raising an OSError, and NumPy where it wrote less than it should.
_ERROR_NUMBER = re.compile(r"\(os error (\d+)\)")
_WRITTEN_LESS = re.compile(r"\d+ requested and \d+ written")


class InputError(ValueError):
    """Input that a person has to mend: the message says what was got, what is allowed and how to fix it."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the GPU's or the host's memory did not suffice."""
    # Stages without a network have not loaded torch, and must not do so when memory is out.
    torch = sys.modules.get("torch")
    if isinstance(error, MemoryError) or (torch and isinstance(error, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def storage_fault(error: BaseException) -> str | None:
    """One sentence where an error says that the disk is full or may not be written, else None."""
    number, said = getattr(error, "errno", None), str(error)
    if match := _ERROR_NUMBER.search(said):
        number = int(match.group(1))
    elif isinstance(error, OSError) and _WRITTEN_LESS.fullmatch(said):
        number = errno.ENOSPC
    if number not in STORAGE_FAULTS:
        return None
    # A failed write names no file; stages write in the folder in which they run.
    where = getattr(error, "filename", None) or Path.cwd()
    return f"{where} cannot be written ({os.strerror(number)}); {STORAGE_FAULTS[number]}"


def run_stage(command: click.Command) -> None:
    """Run a stage's command, and end with one sentence on stderr what is not a fault of the program.

    An :class:`InputError` ends with exit code 2, which is not tried again; memory that does not suffice, even in the
    smallest batches, with 137, which is; a disk that is full or may not be written, with 74, which is not.
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
    except (OSError, SafetensorError) as error:
        if (fault := storage_fault(error)) is None:
            raise
        click.echo(f"{stage}: {fault}", err=True)
        sys.exit(STORAGE_EXIT_CODE)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
