"""Lets pyannote.audio be imported where torch is a CPU build.

torchaudio's wheel links CUDA, so loading its compiled extension fails there. Only forced alignment and RNN-T need
the extension; the Python parts that pyannote and the filter banks use do not.
"""

import sys
import types
from importlib.util import find_spec


def install() -> None:
    """To be called before torchaudio is imported. Does nothing where torch has CUDA."""
    import torch

    if torch.version.cuda is not None or "torchaudio" in sys.modules or find_spec("torchaudio") is None:
        return
    extension = types.ModuleType("torchaudio._extension")
    extension.__dict__.update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        _check_cuda_version=lambda: None,
        fail_if_no_align=_unavailable,
    )
    sys.modules["torchaudio._extension"] = extension


def _unavailable(_function: object) -> object:
    def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("torchaudio was loaded without its compiled extension")

    return fail
