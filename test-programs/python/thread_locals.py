"""Thread-local storage, Python's and C's (errno, locale-free contexts), belongs to one thread across switches."""
import contextvars
import ctypes
import decimal
import random
import threading
from _check import *

COUNT = 100
local = threading.local()
variable = contextvars.ContextVar("variable", default=None)
libc = ctypes.CDLL(None, use_errno=True)
libc.__errno_location.restype = ctypes.POINTER(ctypes.c_int)
barrier = threading.Barrier(COUNT)
addresses = set()


def member(i):
    check(not hasattr(local, "value"), "a new thread's local is empty")
    local.value = i
    variable.set(i)
    decimal.getcontext().prec = 5 + i
    ctypes.set_errno(i)
    address = ctypes.addressof(libc.__errno_location().contents)
    addresses.add(address)
    for _ in range(20):
        barrier.wait(PATIENCE)
        time.sleep(random.random() / 1000)
        check_eq(local.value, i)
        check_eq(variable.get(), i)
        check_eq(decimal.getcontext().prec, 5 + i)
        check_eq(ctypes.get_errno(), i)
        check_eq(ctypes.addressof(libc.__errno_location().contents), address, "address of errno")


run_all(COUNT, member)
check_eq(len(addresses), COUNT, "number of errnos")
check(not hasattr(local, "value"), "the main thread's local is empty")
check_eq(variable.get(), None)


# Ends with its thread.
class Counted:
    alive = 0

    def __init__(self):
        Counted.alive += 1

    def __del__(self):
        Counted.alive -= 1


def hold():
    local.value = Counted()
    check(Counted.alive > 0)


run_all(20, lambda _: hold())
eventually(lambda: Counted.alive == 0, f"{Counted.alive} locals survive their threads")
