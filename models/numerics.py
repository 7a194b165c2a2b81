"""Arithmetic that comes out the same in every process."""


def add_on_one_thread() -> None:
    """From now on the linear algebra of numpy works on one thread in this process.

    Where processors lack AVX-512 it adds in another order with each number of threads. Sums that differ in the
    last bit are rounded apart by int8 models, and a process with two threads would hear other words than one with
    one.
    """
    import numpy  # noqa: F401 - the library must be there to be told
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1, user_api="blas")
