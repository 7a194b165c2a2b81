"""What the GPUs of this machine hold, as NVIDIA's management library tells: no context is made on any of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GpuMemory:
    """``name``: the GPU's number and product."""

    name: str
    used_bytes: int
    total_bytes: int


def gpu_memory() -> tuple[GpuMemory, ...]:
    """Of each GPU; none where there is no GPU, no driver, or no ``nvidia-ml-py``."""
    try:
        import pynvml
    except ModuleNotFoundError:
        return ()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        memory = [(pynvml.nvmlDeviceGetName(handle), pynvml.nvmlDeviceGetMemoryInfo(handle)) for handle in handles]
        return tuple(
            GpuMemory(f"{index} {name}", int(info.used), int(info.total))
            for index, (name, info) in enumerate(memory)
        )
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()
