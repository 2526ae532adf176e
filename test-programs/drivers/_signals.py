"""Signals and children of a process while its greenlets wait in C code."""

import _greenlets


def run(name):
    green = _greenlets.use(name)
    import ctypes
    import os
    import signal
    import subprocess
    import time
    from _check import check, check_eq

    libc = ctypes.CDLL(None, use_errno=True)
    LONG = 60_000_000

    # A handler runs in the middle of a wait, and the wait goes on.
    r, w = os.pipe()
    seen = []

    def read():
        buffer = ctypes.create_string_buffer(1)
        return libc.read(r, buffer, 1), buffer.raw

    signal.signal(signal.SIGALRM, lambda *_: (seen.append("handler"), libc.write(w, b"!", 1)))
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    check_eq(green.result(read), (1, b"!"))
    check_eq(seen, ["handler"])

    # An exception that it raises ends the wait of the main greenlet, although natively the driver would wait to its end.
    class Alarm(Exception):
        pass

    def raise_alarm(*_):
        raise Alarm

    for signum, handler, error in (signal.SIGALRM, raise_alarm, Alarm), (signal.SIGINT, signal.default_int_handler, KeyboardInterrupt):
        signal.signal(signum, handler)
        sender = subprocess.Popen(["sh", "-c", f"sleep 0.1; kill -{int(signum)} {os.getpid()}"])
        begin = time.monotonic()
        try:
            libc.usleep(LONG)
            ended = None
        except error:
            ended = error
        check_eq(ended, error, "how the wait ended")
        check(time.monotonic() - begin < LONG / 1e6, "the wait came to its end")
        sender.wait()

    # The inner of two time limits, and the outer.
    def limited(outer, inner):
        try:
            with green.Timeout(outer, Alarm()):
                try:
                    with green.Timeout(inner):
                        libc.usleep(LONG)
                except green.Timeout:
                    return "inner"
        except Alarm:
            return "outer"

    check_eq([green.result(limited, 30, 0.02), green.result(limited, 0.02, 30)], ["inner", "outer"])

    # The child of a fork has the hub: its greenlets wait side by side, those of its parent are not in its way.
    waiting = [green.spawn(libc.usleep, 300000) for _ in range(5)]
    green.sleep(0.01)
    pid = os.fork()
    if pid == 0:
        begin = time.monotonic()
        green.join([green.spawn(libc.usleep, 200000) for _ in range(50)])
        os._exit(0 if 0.2 <= time.monotonic() - begin < 8 else 1)
    check_eq(os.waitpid(pid, 0), (pid, 0), "the child")
    green.join(waiting)

    # system() waits for its child, and the others go on.
    begin = time.monotonic()
    green.join([green.spawn(libc.system, b"sleep 0.5") for _ in range(20)], 60)
    check(time.monotonic() - begin < 9, "20 commands of 0.5 s ran one after another")
    print("ok")
