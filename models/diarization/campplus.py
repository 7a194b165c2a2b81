"""Voice embeddings of short overlapping windows with CAM++ (3D-Speaker, Mandarin and English).

The network's trunk runs once over each stretch of audio and its statistics are pooled over every window: windows
of a second each tenth of a second cost no more than one pass over the audio.
"""

import importlib.util
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.diarization.turns import Times
from qa_service.domain.timeline import TimeSpan
from qa_service.ports import DecodedAudio

DIMENSION: Final = 192
MEL_BINS: Final = 80
_BLOCK_S = 10.0
_CONTEXT_S = 1.0  # the trunk sees what is around a block, so that blocks have no seams
_DEVIATION_FLOOR = 1e-2


class CampPlus:
    """The embedding network on a device."""

    def __init__(self, folder: Path, *, device: str) -> None:
        """``folder``: the assembled model, ``models.weights.CAMPPLUS``."""
        import torch

        self._device = torch.device(device)
        network = _network_class(folder / "camplusplus.py")(feat_dim=MEL_BINS, embedding_size=DIMENSION)
        network.load_state_dict(torch.load(folder / "campplus.pt", map_location="cpu", weights_only=True))
        network.eval().to(self._device)
        self._head = network.head
        layers = dict(network.xvector.named_children())
        self._dense = layers.pop("dense")
        del layers["stats"]
        self._trunk = torch.nn.Sequential(*layers.values())

    def windows(self, audio: DecodedAudio, channel: int, *, window_s: float, hop_s: float) -> NDArray[np.float32]:
        """Embeddings of windows centred on ``hop_s / 2``, ``3 * hop_s / 2``, …

        Returns:
            float32 (window, 192).
        """
        hops = int(audio.duration_s / hop_s)
        per_block = round(_BLOCK_S / hop_s)
        blocks = []
        for first in range(0, hops, per_block):
            middles = (np.arange(first, min(first + per_block, hops)) + 0.5) * hop_s
            span = TimeSpan(
                max(0.0, first * hop_s - _CONTEXT_S),
                min(audio.duration_s, (first + per_block) * hop_s + _CONTEXT_S),
            )
            blocks.append(self._pooled(audio.read(channel, span), middles - span.start, window_s))
        return np.concatenate(blocks) if blocks else np.zeros((0, DIMENSION), dtype=np.float32)

    def _pooled(self, samples: NDArray[np.float32], middles_s: Times, window_s: float) -> NDArray[np.float32]:
        import torch
        from torchaudio.compliance.kaldi import fbank

        with torch.inference_mode():
            wave = torch.from_numpy(np.ascontiguousarray(samples))[None]
            # 3D-Speaker's features: samples in [-1, 1], no dither, mean removed over the stretch.
            features = fbank(wave, num_mel_bins=MEL_BINS, sample_frequency=16_000, dither=0.0)
            features = (features - features.mean(0)).to(self._device)
            frames = self._trunk(self._head(features[None].permute(0, 2, 1)))[0].double()
            per_s = frames.shape[1] / (len(samples) / 16_000)
            first = np.clip((middles_s - window_s / 2) * per_s, 0, frames.shape[1] - 2).astype(int)
            last = np.clip((middles_s + window_s / 2) * per_s, first + 2, frames.shape[1]).astype(int)
            statistics = _statistics(frames, first, last)
            embeddings: NDArray[np.float32] = (
                self._dense(statistics).reshape(len(middles_s), DIMENSION).cpu().numpy()
            )
        return embeddings


def _statistics(frames: Any, first: NDArray[np.int64], last: NDArray[np.int64]) -> Any:
    """Mean and deviation of ``frames`` (dimension, time) over each ``[first, last)``, by running sums."""
    import torch

    start, end = torch.from_numpy(first).to(frames.device), torch.from_numpy(last).to(frames.device)
    count = end - start

    def summed(values: Any) -> Any:
        running = torch.nn.functional.pad(values.cumsum(1), (1, 0))
        return running[:, end] - running[:, start]

    mean = summed(frames) / count
    variance = (summed(frames * frames) / count - mean * mean).clamp(min=0) * count / (count - 1)
    return torch.cat([mean, (variance + _DEVIATION_FLOOR**2).sqrt()]).T.float()[..., None]


def _network_class(definition: Path) -> Any:
    spec = importlib.util.spec_from_file_location("_campplus", definition)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CAMPPlus
