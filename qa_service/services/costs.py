"""What jobs cost: processor seconds of this process, and seconds for which its GPU was held.

Guarantee: what the process spends is charged to some job, once: what is done for several calls together by their
seconds of audio, what is done for one to that one. Processes that decode on its behalf are not seen.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from qa_service.ports import Cost


class CostMeter:
    """Args:
    on_gpu: whether recognition runs on a GPU.
    processor_s: processor seconds that this process has used.
    now: seconds of a clock.
    """

    def __init__(
        self,
        *,
        on_gpu: Callable[[], bool],
        processor_s: Callable[[], float] = time.process_time,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.on_gpu = on_gpu
        self.now = now
        self._processor_s = processor_s
        self._seen_s = processor_s()

    def batch(self, audio_s: Mapping[int, float]) -> "BatchCosts":
        """The costs of jobs that are worked on together, by number; what was spent so far was for all of them."""
        return BatchCosts(self, audio_s)

    def lap_s(self) -> float:
        """Processor seconds since it was asked last."""
        before, self._seen_s = self._seen_s, self._processor_s()
        return self._seen_s - before


class BatchCosts:
    """Whose the seconds are. Jobs without audio are charged only where none of the batch has any."""

    def __init__(self, meter: CostMeter, audio_s: Mapping[int, float]) -> None:
        self._meter = meter
        total = sum(audio_s.values())
        self._share = {
            job_id: seconds / total if total else 1 / len(audio_s) for job_id, seconds in audio_s.items()
        }
        self._cpu_s = dict.fromkeys(audio_s, 0.0)
        self._gpu_s = dict.fromkeys(audio_s, 0.0)
        self._together = True
        self._charge_all(self._cpu_s, meter.lap_s())

    @contextmanager
    def recognising(self, job_id: int) -> Iterator[None]:
        """The first time all calls are recognised; then there is only this one to assemble, or to try alone."""
        started = self._meter.now()
        yield
        cpu_s = self._meter.lap_s()
        gpu_s = self._meter.now() - started if self._meter.on_gpu() else 0.0
        if self._together:
            self._charge_all(self._cpu_s, cpu_s)
            self._charge_all(self._gpu_s, gpu_s)
        else:
            self._cpu_s[job_id] += cpu_s
            self._gpu_s[job_id] += gpu_s
        self._together = False

    def of(self, job_id: int) -> Cost:
        """What the job has cost, with what was spent since the last question."""
        self._cpu_s[job_id] += self._meter.lap_s()
        return Cost(self._cpu_s[job_id], self._gpu_s[job_id])

    def _charge_all(self, account: dict[int, float], seconds: float) -> None:
        for job_id, share in self._share.items():
            account[job_id] += seconds * share
