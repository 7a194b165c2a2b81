"""The same audio is the same numbers in processes with any number of threads."""

import os
import subprocess
import sys

import pytest

from tests.corpus import ROOT

HEARD = """
import hashlib
import numpy as np
from threadpoolctl import threadpool_info
from models.asr.faster_whisper import FasterWhisper
from models.weights import default_cache_dir

of = {"model": "base", "cache_dir": default_cache_dir(), "device": "cpu", "compute_type": "default"}
runtime = FasterWhisper(**of, threads=1)
noise = np.random.default_rng(7).normal(0, 0.1, 12 * 16_000).astype(np.float32)
features = runtime.features(noise)
threads = {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}
print(hashlib.sha256(features.tobytes()).hexdigest(), threads)
"""


@pytest.mark.engine
def test_a_process_with_more_threads_hears_the_same() -> None:
    heard = [
        subprocess.run(
            [sys.executable, "-c", HEARD],
            cwd=ROOT,
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "4")
    ]
    assert heard[0] == heard[1]
    assert heard[0].strip().endswith("{1}")
