"""Boltz-1's weights, from a checkpoint to a model that is ready for inference."""

from __future__ import annotations

import inspect
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from boltz.main import BoltzDiffusionParams, BoltzSteeringParams, MSAModuleArgs, PairformerArgs
from boltz.model.models.boltz1 import Boltz1

from ..safe_pickle import RestrictedPickle, restricted_unpickler

STEP_SCALE = 1.638
"""Boltz-1's default, which ``boltz predict`` sets in its own body."""


_BUILTINS = ("bool", "bytearray", "complex", "dict", "float", "frozenset", "int", "list", "set", "str", "tuple")
_ALLOWED_NAMES = {
    "builtins": _BUILTINS,
    "__builtin__": (*_BUILTINS, "long"),  # as PyTorch's pickles, of protocol 2, call them
    "_codecs": ("encode",),
    "collections": ("OrderedDict", "defaultdict"),
    "typing": ("Any",),
    "omegaconf.base": ("ContainerMetadata", "Metadata"),
    "omegaconf.dictconfig": ("DictConfig",),
    "omegaconf.listconfig": ("ListConfig",),
    "omegaconf.nodes": ("AnyNode", "BooleanNode", "FloatNode", "IntegerNode", "StringNode"),
    "torch": (
        *("Size", "device", "bfloat16", "float16", "float32", "float64", "int32", "int64"),
        *("BFloat16Storage", "BoolStorage", "ByteStorage", "DoubleStorage", "FloatStorage"),
        *("HalfStorage", "IntStorage", "LongStorage"),
    ),
    "torch._utils": ("_rebuild_parameter", "_rebuild_tensor_v2"),
}
_ALLOWED = {(module, name) for module, names in _ALLOWED_NAMES.items() for name in names}
"""Tensors, and the settings of a training that was configured with Hydra, as Boltz's was."""

_INERT = (
    *("boltz", "hydra", "lightning", "lightning_fabric", "numpy"),
    *("pathlib", "pytorch_lightning", "torch", "torchmetrics"),
)
"""Packages of the training's own state, which is not needed here."""


def read_checkpoint(checkpoint: Path) -> dict[str, Any]:
    """Hyperparameters, weights and whatever else PyTorch Lightning saved; no code is run but that of ``_ALLOWED``.

    Raises
    ------
    InputError
        If the pickle in the file asks for anything that a checkpoint of Boltz does not hold.
    """
    pickles: Any = RestrictedPickle(restricted_unpickler(_ALLOWED, _INERT))
    return torch.load(checkpoint, map_location="cpu", mmap=True, weights_only=False, pickle_module=pickles)


def load_model(checkpoint: Path) -> Boltz1:
    """Load a Boltz-1 checkpoint as ``boltz predict`` does, on the CPU and ready for inference.

    The sampler's parameters are Boltz's inference defaults, not the checkpoint's. The sizes of the trunk are the
    checkpoint's own, which for the published weights are Boltz's defaults. Verify the file's digest before.

    Raises
    ------
    InputError
        As :func:`read_checkpoint`.
    """
    stored = read_checkpoint(checkpoint)
    sizes = dict(stored["hyper_parameters"])
    pairformer_args = asdict(PairformerArgs())
    pairformer_args |= {key: sizes["pairformer_args"][key] for key in ("num_blocks", "num_heads")}
    msa_args = asdict(MSAModuleArgs(use_paired_feature=False))
    msa_sizes = ("msa_s", "msa_blocks", "pairwise_head_width", "pairwise_num_heads")
    msa_args |= {key: sizes["msa_args"][key] for key in msa_sizes if key in sizes["msa_args"]}
    arguments = sizes | {
        "predict_args": {},
        "diffusion_process_args": asdict(BoltzDiffusionParams(step_scale=STEP_SCALE)),
        "ema": False,
        "use_kernels": False,
        "pairformer_args": pairformer_args,
        "msa_args": msa_args,
        "steering_args": asdict(BoltzSteeringParams()),
    }
    # As Lightning's load_from_checkpoint, which would unpickle anything: it, too, drops what is not asked for.
    known = inspect.signature(Boltz1.__init__).parameters
    model = Boltz1(**{name: value for name, value in arguments.items() if name in known})
    model.load_state_dict(stored["state_dict"], strict=True)
    return model.eval().requires_grad_(False)
