"""When figures say something, and what work is usual."""

from pydantic import PositiveInt
from pydantic_settings import BaseSettings


class FigureSettings(BaseSettings):
    """When figures say something, and what work is usual."""

    figures_min_calls: PositiveInt = 30
    figures_min_peers: PositiveInt = 3
    workload_calls: PositiveInt = 70
