"""Which classifications of a project have ended well, by what RELION and cryoSPARC leave in a job's folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from classfold.errors import InputError

RELION_SUCCESS = "RELION_JOB_EXIT_SUCCESS"
"""Written by RELION 3.1 and later into the folder of a job that has ended well."""
CRYOSPARC_CLASSIFICATIONS = {"hetero_refine", "class_3D", "homo_abinit"}
"""Jobs of cryoSPARC with a map for each class, by their ``job_type``."""


def finished_relion_jobs(project: Path) -> list[Path]:
    """Folders of the finished Class3D jobs of a RELION project, by number."""
    return sorted(mark.parent for mark in project.glob(f"Class3D/job*/{RELION_SUCCESS}"))


def finished_cryosparc_jobs(project: Path) -> list[Path]:
    """Folders of the completed classifications of a cryoSPARC project, by number."""
    found = [path.parent for path in project.glob("J*/job.json") if _is_classification(path)]
    return sorted(found, key=lambda job: (len(job.name), job.name))


def _is_classification(document: Path) -> bool:
    try:
        job = json.loads(document.read_text())
    except (OSError, ValueError):
        # It is being written, or belongs to someone else; the next pass looks again.
        return False
    if not isinstance(job, dict):
        return False
    return job.get("status") == "completed" and job.get("job_type") in CRYOSPARC_CLASSIFICATIONS


PROGRAMS: dict[str, Callable[[Path], list[Path]]] = {
    "relion": finished_relion_jobs,
    "cryosparc": finished_cryosparc_jobs,
}


def finished_jobs(program: str, project: Path) -> list[Path]:
    """Folders of the finished classifications of a project.

    Raises
    ------
    InputError
        If the project's folder does not exist.
    """
    if not project.is_dir():
        raise InputError(f"{project} is no folder; give the project's, in which the jobs' folders are.")
    return PROGRAMS[program](project)
