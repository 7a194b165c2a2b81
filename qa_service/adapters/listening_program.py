"""The programs that make listening copies: started by name, asked over pipes, ended when not needed.

Guarantee: a program ends with this process however that ends, as its standard input closes then; one that does not
answer in time is killed, and the next request gets a new one. This process loads no decoder.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from qa_service.errors import ConflictError, EngineError, InputError, NotFoundError, QAError, TransientError

MODULE = "models.audio.listen"
"""By its name: this package knows no decoder."""
_BOOT = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from importlib import import_module; import_module(sys.argv[1]).main()"
)
# Where this package was found may not be on the path any more: "" is, after a change of directory.
_ROOT = str(Path(__file__).resolve().parents[2])
_KINDS: Mapping[str, type[QAError]] = {
    kind.__name__: kind for kind in (InputError, EngineError, TransientError, ConflictError, NotFoundError)
}
_MOST_ANSWER_BYTES = 100_000
_GOODBYE_S = 5.0


class ListeningPrograms:
    """At most ``most`` programs, each answering one request at a time; the others wait."""

    def __init__(self, *, most: int = 2, wait_s: float = 60.0, module: str = MODULE) -> None:
        """
        Args:
            most: how many may work at once: each takes memory and a core.
            wait_s: how long a request waits for one of them.
            module: what they run, by its name.
        """
        self._free = threading.BoundedSemaphore(most)
        self._wait_s = wait_s
        self._module = module
        self._lock = threading.Lock()
        self._idle: list[_Program] = []

    def ask(self, request: Mapping[str, Any], *, timeout_s: float) -> dict[str, Any]:
        """The answer to a request.

        Raises:
            QAError: what the program answers.
            TransientError: ``listening_unavailable``: it cannot be started, ends, or takes longer than allowed.
        """
        if not self._free.acquire(timeout=self._wait_s):
            raise _unavailable("all of them are busy")
        try:
            answer = self._ask(json.dumps(request).encode() + b"\n", timeout_s)
        finally:
            self._free.release()
        if "error" in answer:
            fault = answer["error"]
            raise _KINDS.get(fault["kind"], TransientError)(fault["code"], fault["message"])
        return answer

    def _ask(self, line: bytes, timeout_s: float) -> dict[str, Any]:
        with self._lock:
            idle = self._idle.pop() if self._idle else None
        if idle is not None and (answer := self._asked(idle, line, timeout_s)) is not None:
            return answer
        # It had gone, perhaps only because nobody asked it for long.
        program = _Program(self._module)
        if (answer := self._asked(program, line, timeout_s)) is None:
            raise _unavailable(f"it ended by itself, status {program.status}")
        return answer

    def _asked(self, program: _Program, line: bytes, timeout_s: float) -> dict[str, Any] | None:
        try:
            answer = program.ask(line, timeout_s)
        except BaseException:
            program.kill()
            raise
        if answer is None:
            program.kill()
            return None
        with self._lock:
            self._idle.append(program)
        return answer

    def close(self) -> None:
        """End the programs that have nothing to do."""
        with self._lock:
            idle, self._idle = self._idle, []
        for program in idle:
            program.close()


class _Program:
    def __init__(self, module: str) -> None:
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _BOOT, module, *sys.path, _ROOT],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for us to pass on
                # No secrets beside hostile bytes, and one thread: it waits for a disk.
                env={k: v for k, v in os.environ.items() if not k.startswith("QA_")}
                | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
        except OSError as error:
            raise _unavailable(error.strerror or str(error)) from error

    @property
    def status(self) -> int | None:
        return self._process.returncode

    def ask(self, line: bytes, timeout_s: float) -> dict[str, Any] | None:
        """The answer; None where the program ended without one."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except OSError:
            return None
        answer = b"".join(self._pieces(time.monotonic() + timeout_s))
        if not answer.endswith(b"\n"):
            return None
        parsed: dict[str, Any] = json.loads(answer)
        return parsed

    def _pieces(self, deadline: float) -> Iterator[bytes]:
        """What comes, to the end of the line or of the program."""
        assert self._process.stdout is not None
        output, length = self._process.stdout.fileno(), 0
        while length < _MOST_ANSWER_BYTES:
            if not select.select([output], [], [], max(deadline - time.monotonic(), 0.0))[0]:
                raise _unavailable("it takes too long, and was ended")
            piece = os.read(output, _MOST_ANSWER_BYTES)
            length += len(piece)
            yield piece
            if not piece or piece.endswith(b"\n"):
                return

    def kill(self) -> None:
        self._process.kill()
        self.close()

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(_GOODBYE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _unavailable(reason: str) -> TransientError:
    return TransientError(
        "listening_unavailable",
        f"no program makes listening copies ({reason}): free memory, or try again later",
    )
