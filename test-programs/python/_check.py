"""Assertions of the Python programs. Each program passes natively; preloaded (TEST_GREEN set) it asserts the same, and that it
runs on one kernel thread."""

import os
import sys
import threading
import time
import traceback

GREEN = "TEST_GREEN" in os.environ
# For waits that end at once when all is well: ends a stuck program with a stack, before it is killed.
PATIENCE = 20


def fail(message):
    """Ends the process, from whichever thread."""
    sys.stdout.flush()
    print("FAILED:", message, file=sys.stderr)
    traceback.print_stack(sys._getframe(1), file=sys.stderr)
    sys.stderr.flush()
    os._exit(1)


def check(condition, message="condition is false"):
    if not condition:
        fail(message)


def check_eq(got, want, what="value"):
    if got != want:
        fail(f"{what} is {got!r}, want {want!r}"[:2000])


def check_raises(kind, function, *args, **kwargs):
    try:
        result = function(*args, **kwargs)
    except kind as error:
        return error
    fail(f"{function} returned {result!r}, want {kind.__name__}")


def skip(reason):
    print("skipped:", reason)
    sys.stdout.flush()
    os._exit(77)


def eventually(condition, message):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            fail(message)
        time.sleep(0.002)


def start(function, *args, **kwargs):
    thread = threading.Thread(target=function, args=args, kwargs=kwargs)
    thread.start()
    return thread


def join(*threads):
    for thread in threads:
        thread.join(PATIENCE * 2)
        if thread.is_alive():
            fail(f"{thread.name} has not ended")


def run_all(count, function):
    """Runs function(0) … function(count - 1), a thread each, and waits for all."""
    join(*[start(function, i) for i in range(count)])


def kernel_threads(io=False):
    """How many kernel threads there are: the program's, or (io) the shim's own."""
    count = 0
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/comm") as comm:
                count += (comm.read().strip() == "greenpatch-io") == io
        except OSError:
            pass
    return count


def check_kernel_threads(native):
    """While `native` threads are alive, by a program's own count."""
    threads = kernel_threads()
    if GREEN:
        check_eq(threads, 1, "number of kernel threads")
    else:
        check(threads >= native, f"{threads} kernel threads for {native} threads")


def check_helpers_end():
    """The shim's own threads end when they are idle."""
    eventually(lambda: kernel_threads(io=True) == 0, "threads named greenpatch-io remain")


def _thread_died(args):
    traceback.print_exception(args.exc_type, args.exc_value, args.exc_traceback)
    fail(f"an exception ended {args.thread}")


threading.excepthook = _thread_died
