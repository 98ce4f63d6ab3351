#!/usr/bin/env python3
"""FETCH_WEIGHTS: bring Boltz's released weights into a folder that all runs share.

Downloads boltz1_conf.ckpt and ccd.pkl from the addresses that Boltz itself uses, once: a cut download goes on
where it stopped, two jobs that want the same folder wait for each other, and nothing is in its place before
it is whole. The SHA-256 digests are recorded in SHA256SUMS at the first arrival and verified before every
use. With the files in place no network is used; files copied there by hand are taken as they are.

\b
Example:
    fetch_weights.py --prior boltz1 --cache ~/.cache/classfold
"""

from __future__ import annotations

from pathlib import Path

import click

from classfold.download import DownloadPolicy
from classfold.errors import run_stage
from classfold.weights_cache import Sources, fetch_weights, mirror


def release_addresses() -> Sources:
    """Where Boltz says that its weights are."""
    # Boltz takes seconds to import; a folder that is complete does not need it.
    from classfold.prior import boltz1_urls

    return boltz1_urls()


@click.command("fetch_weights", help=__doc__, context_settings={"show_default": True})
@click.option("--prior", type=click.Choice(["boltz1"]), default="boltz1", help="Which weights.")
@click.option(
    "--cache", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to fill."
)
@click.option("--url-base", help="Folder of a mirror that has both files, instead of Boltz's addresses.")
@click.option("--attempts", default=5, help="Attempts without progress before an address is given up.")
def main(prior: str, cache: Path, url_base: str | None, attempts: int) -> None:
    """Fetch what is missing, verify what is there."""
    cache = cache.expanduser()
    fetch_weights(
        cache,
        (lambda: mirror(url_base)) if url_base else release_addresses,
        DownloadPolicy(attempts=attempts),
        click.echo,
    )
    click.echo(f"{prior}: ready in {cache}")


if __name__ == "__main__":
    run_stage(main)
