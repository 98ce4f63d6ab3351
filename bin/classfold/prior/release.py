"""Where Boltz's own release lies."""

from __future__ import annotations

from boltz.main import BOLTZ1_URL_WITH_FALLBACK, CCD_URL


def boltz1_urls() -> dict[str, tuple[str, ...]]:
    """Where Boltz's release of Boltz-1 lies: file name to addresses, in the order in which to try them."""
    return {"ccd.pkl": (CCD_URL,), "boltz1_conf.ckpt": tuple(BOLTZ1_URL_WITH_FALLBACK)}
