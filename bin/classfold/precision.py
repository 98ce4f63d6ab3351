"""What may be given up of exactness for speed, each by its own switch; by default nothing is.

Coordinates, noise and the sampler's arithmetic are float32 in every setting.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch

from .errors import InputError

Matmul = Literal["float32", "tf32", "bf16"]
MATMULS: tuple[Matmul, ...] = get_args(Matmul)
KERNEL_PACKAGE = "cuequivariance_torch"
"""Triangle attention and multiplication in one kernel each, which Boltz uses where it finds them."""
AMPERE = (8, 0)
"""Compute capability from which NVIDIA GPUs have TensorFloat-32, and Boltz uses its kernels."""


@dataclass(frozen=True)
class Precision:
    """How the prior's network is computed. The default is as exact as ``boltz predict`` is with Boltz-1."""

    matmul: Matmul = "float32"
    """Matrix products: float32; TensorFloat-32 (10 of its 23 bits of mantissa are used) in the whole network, though
    not in gradients; or bfloat16 (7 bits) in the denoiser's transformers, where its time goes."""
    compile: bool = False
    """Compile the denoiser's transformer layers. It pays where a layer is called many thousand times."""
    kernels: bool = False
    """Boltz's own fast kernels in the trunk and the confidence head."""

    def __post_init__(self) -> None:
        if self.matmul not in MATMULS:
            raise InputError(f"matrix products in '{self.matmul}' are not known; use one of {', '.join(MATMULS)}")

    def check(self, device: torch.device) -> None:
        """Check that the device and what is installed can do what is asked.

        Raises
        ------
        InputError
            If they cannot.
        """
        if self.matmul == "tf32":
            _need_ampere("tf32", device, "use float32 or bf16, or another device")
        if self.kernels:
            _need_ampere("kernels", device, "leave the kernels off, or use another device")
            if importlib.util.find_spec(KERNEL_PACKAGE) is None:
                raise InputError(
                    f"the kernels need the Python package {KERNEL_PACKAGE}, which is not installed; install the one "
                    "that belongs to this CUDA, or leave the kernels off"
                )
        if self.compile:
            _need_compiler()

    @contextlib.contextmanager
    def matmuls(self) -> Iterator[None]:
        """Allow TensorFloat-32 inside, if it was asked for, and put the global switch back afterwards."""
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high" if self.matmul == "tf32" else "highest")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)


EXACT = Precision()
"""Everything in float32, as ``boltz predict`` runs Boltz-1."""


def _need_ampere(what: str, device: torch.device, remedy: str) -> None:
    if device.type != "cuda":
        raise InputError(f"{what} needs an NVIDIA GPU, and this runs on {device}; {remedy}")
    if torch.cuda.get_device_capability(device) < AMPERE:
        name = torch.cuda.get_device_name(device)
        raise InputError(f"{what} needs an NVIDIA GPU of the Ampere generation or later, not {name}; {remedy}")


def _need_compiler() -> None:
    """Torch writes C++ around its kernels on every device, and on a CPU the kernels are C++ too."""
    compiler = os.environ.get("CXX", "g++")
    missing = []
    if shutil.which(compiler) is None:
        missing.append(f"a C++ compiler ({compiler} is not there)")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        missing.append("Python's headers")
    if missing:
        raise InputError(
            f"compile needs {' and '.join(missing)}; install what is missing (Debian: g++, python3-dev), name another "
            "compiler in CXX, or leave compile off"
        )
