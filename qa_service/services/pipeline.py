"""Two stages at once: the next item is made in a thread while the last one is worked on.

Guarantee: at most one item waits, and one is worked on; what was made and not taken is dropped; an exception of
the maker reaches the taker.
"""

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

LEAVE_S = 5.0  # how long the end waits for a maker that is in the middle of a call


@contextmanager
def made_ahead(
    make: Generator[Item, None, None], *, stop: threading.Event, drop: Callable[[Item], None]
) -> Iterator[Iterator[Item]]:
    """The items of ``make``, each made while the one before it is worked on.

    Args:
        make: runs in a thread of its own. It should look at ``stop`` where it can end early.
        stop: set when the context is left.
        drop: disposes of an item that nobody will take.
    """
    go = threading.Semaphore(0)
    made: queue.SimpleQueue[tuple[Item] | BaseException | None] = queue.SimpleQueue()

    def work() -> None:
        try:
            while go.acquire() and not stop.is_set():
                item = next(make)
                if stop.is_set():
                    drop(item)
                    break
                made.put((item,))
        except StopIteration:
            made.put(None)
        except BaseException as error:  # noqa: BLE001 - the other thread raises it
            made.put(error)
        finally:
            make.close()

    def items() -> Iterator[Item]:
        go.release()
        while (got := made.get()) is not None:
            if isinstance(got, BaseException):
                raise got
            go.release()
            yield got[0]

    thread = threading.Thread(target=work, name="prepare-ahead", daemon=True)
    thread.start()
    try:
        yield items()
    finally:
        stop.set()
        go.release()
        thread.join(LEAVE_S)
        while not made.empty():
            got = made.get()
            if isinstance(got, tuple):
                drop(got[0])
