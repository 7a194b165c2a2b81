"""The service core: what a call, a score and a job are, and what may be done with them."""

__version__ = "0.1.0"
