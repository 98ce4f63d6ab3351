"""axe-core, the checker of accessibility, as npm delivers it: one script that is loaded into a page."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
from pathlib import Path

VERSION = "4.11.0"
SHA256 = "39bed7d72308f6d620789c169d699bfd7e8da80f65b545821a6b2215c3e83107"
"""Of the package's archive."""
PATIENCE_SECONDS = 120
CHECK = """axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then((found) =>
  found.violations.map((rule) => `${rule.id}: ${rule.help}; ` +
    rule.nodes.slice(0, 3).map((node) => node.html.slice(0, 200) + ' ' +
      [...node.any, ...node.all].map((check) => check.message).join(' ')).join(' | ')))"""
"""Promise of the violations of WCAG 2.2, A and AA, a sentence each."""


class NoAxeCore(RuntimeError):
    """npm is missing, or reaches no registry."""


def axe_core(folder: Path) -> str:
    """The script; its archive is fetched into ``folder`` where it is not there yet.

    Raises
    ------
    NoAxeCore
        If it cannot be fetched.
    ValueError
        If the archive is not the one that is expected.
    """
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"axe-core-{VERSION}.tgz"
    if not archive.is_file():
        command = ["npm", "pack", "--silent", f"axe-core@{VERSION}"]
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
        except (OSError, subprocess.SubprocessError) as error:
            said = str(getattr(error, "stderr", None) or error).strip().splitlines()
            raise NoAxeCore(f"`{' '.join(command)}` failed: {said[-1] if said else error}") from error
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SHA256:
        raise ValueError(f"{archive} has the SHA-256 {found}, not {SHA256}; delete it")
    with tarfile.open(archive) as content:
        script = content.extractfile("package/axe.min.js")
        assert script is not None, "the package holds the script"
        return script.read().decode()
