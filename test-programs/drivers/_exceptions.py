"""Exceptions that are thrown into a greenlet while it waits in C code."""

import _greenlets


def run(name):
    green = _greenlets.use(name)
    import ctypes
    import gc
    import os
    import signal
    import sys
    from _check import check, check_eq

    libc = ctypes.CDLL(None, use_errno=True)
    r, w = os.pipe()
    r2, w2 = os.pipe()

    class Late(Exception):
        pass

    def read(fd=r):
        """As a driver does: what the kernel says becomes an error of its own."""
        buffer = ctypes.create_string_buffer(10)
        size = driver_read(fd, buffer, 1)
        return buffer.raw[:size]

    def to_error(size, _function, _args):
        if size < 0:
            raise OSError(ctypes.get_errno(), "the driver's own error")
        return size

    driver_read = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, use_errno=True)(("read", libc))
    driver_read.errcheck = to_error

    # A timeout, which the driver turns into an error: nobody sees that error.
    def timed_out():
        try:
            with green.Timeout(0.02):
                try:
                    read()
                except Exception as error:
                    return f"took it for {error!r}" if not isinstance(error, green.Timeout) else "timeout"
                return "came back"
        except green.Timeout:
            return "timeout"

    for _ in range(20):
        check_eq(green.result(timed_out), "timeout")
        check_eq(sys.gettrace(), None, "trace function")

    # C code that comes back as if nothing was.
    def swallowed():
        after = []
        try:
            with green.Timeout(0.02, Late("it is late")):
                libc.usleep(10_000_000)
                after.append(1)
        except Late as error:
            return str(error), after

    check_eq(green.result(swallowed), ("it is late", []))

    # Killed.
    seen = []

    def killed():
        try:
            read()
            seen.append("came back")
        except OSError as error:
            seen.append(repr(error))
        except green.Killed:
            seen.append("killed")
            raise
        finally:
            seen.append("finally")

    victims = [green.spawn(killed) for _ in range(3)]
    green.sleep(0.01)
    for victim in victims:
        green.kill(victim)
    green.join(victims)
    check_eq(seen, ["killed", "finally"] * 3)

    # Through several frames, a generator and a with statement.
    class Context:
        def __enter__(self):
            return self

        def __exit__(self, kind, *_):
            seen.append(kind)

    def values():
        with Context():
            yield read()

    def deep():
        del seen[:]
        try:
            with green.Timeout(0.02, Late()):
                return list(values())
        except Late:
            return "late"

    check_eq(green.result(deep), "late")
    check_eq(seen, [Late])

    # What the driver waits for on its way out is given up at once, and afterwards all is as ever.
    def leave_slowly():
        libc.usleep(10_000_000)
        libc.usleep(10_000_000)

    pair = ctypes.CFUNCTYPE(None)(leave_slowly)

    def through_c():
        try:
            with green.Timeout(0.02, Late()):
                pair()
        except Late:
            os.write(w2, b"q")
            return read(r2)

    sys.unraisablehook, hook = lambda _: seen.append("unraisable"), sys.unraisablehook
    check_eq(green.result(through_c), None)
    sys.unraisablehook = hook
    check_eq(seen, [Late, "unraisable"])

    # A tool's trace function is there again.
    def tracer(*_):
        return None

    sys.settrace(tracer)
    try:
        with green.Timeout(0.02):
            libc.usleep(10_000_000)
    except green.Timeout:
        pass
    green.sleep(0.01)
    check(sys.gettrace() is tracer, "the trace function is gone")
    sys.settrace(None)
    print("ok")
