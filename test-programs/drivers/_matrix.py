"""What one driver does in one mode, as a line of JSON for each case: the same in every mode.

    _matrix.py DRIVER MODE [CASE...]

DRIVER is a key of _drivers.DRIVERS. MODE is threads, gevent or eventlet (as they are, patched by themselves), gevent-guest or
eventlet-guest (greenpatch asks their hub to wait). The servers are in TEST_*_PORT (scripts/servers).
"""

import sys

driver_name, mode = sys.argv[1:3]
if mode.startswith("gevent"):
    import gevent.monkey
    gevent.monkey.patch_all()
elif mode.startswith("eventlet"):
    import eventlet
    eventlet.monkey_patch()
if mode == "gevent-guest":
    import greenpatch.gevent
elif mode == "eventlet-guest":
    import greenpatch.eventlet

import json
import os
import signal
import socket
import subprocess
import threading
import time
import traceback

from _drivers import DRIVERS, HOST, port_of

DRIVER = DRIVERS[driver_name]
PATIENCE = 60
COUNT, SECONDS = 100, 0.2
FOLDER = os.path.dirname(os.path.abspath(__file__))


class Failed(Exception):
    pass


def check_eq(got, want, what):
    if got != want:
        raise Failed(f"{what} is {got!r}, want {want!r}"[:500])


def run_all(count, function):
    """function(0) … function(count - 1) at once; the first exception is raised here."""
    wrong = []

    def run(i):
        try:
            function(i)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        if thread.is_alive():
            raise wrong[0] if wrong else Failed("does not end")
    if wrong:
        raise wrong[0]


def described(error):
    """An error, as far as it is the same in every run."""
    if isinstance(error, Failed):
        raise error
    kind = type(error)
    number = error.args[0] if error.args and isinstance(error.args[0], (int, str)) else ""
    if isinstance(number, str):
        # An SQLSTATE, or a text of which the first words do.
        number = number if len(number) == 5 else getattr(error, "pgcode", None) or getattr(error, "errno", None) or ""
    return f"{kind.__module__}.{kind.__name__} {number}".strip()


def kernel_threads():
    count = 0
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/comm") as comm:
                count += comm.read().strip() != "greenpatch-io"
        except OSError:
            pass
    return count


class Proxy:
    """_proxy.py before the driver's server, a native process."""

    def __init__(self):
        env = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD" and not name.startswith("GREENPATCH")}
        self.process = subprocess.Popen([sys.executable, os.path.join(FOLDER, "_proxy.py"), str(port_of(DRIVER.server))], env=env,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def delay(self, seconds):
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        self.process.stdout.readline()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(PATIENCE)
        self.process.stdin.close()
        self.process.stdout.close()


class Slow:
    """Where the driver connects to, to be answered late once delay() has been called."""

    def __enter__(self):
        self.proxy = None if DRIVER.sleeps else Proxy()
        self.port = self.proxy.port if self.proxy else None
        return self

    def delay(self, seconds):
        if self.proxy:
            self.proxy.delay(seconds)

    def __exit__(self, *error):
        if self.proxy:
            self.proxy.__exit__(*error)


# The cases. What they return is the same in every mode; what differs from run to run goes to `measured`.

measured = {}


def concurrent():
    barrier, asleep = threading.Barrier(COUNT + 1), []

    def member(i):
        connection = DRIVER(slow.port)
        barrier.wait(PATIENCE)
        barrier.wait(PATIENCE)
        check_eq(connection.sleep(SECONDS), DRIVER.slept, "the answer")
        asleep.append(i)
        connection.close()

    with Slow() as slow:
        def begin():
            barrier.wait(PATIENCE)
            slow.delay(SECONDS)
            measured["kernel_threads"] = kernel_threads()
            measured["begin"] = time.monotonic()
            barrier.wait(PATIENCE)

        starter = threading.Thread(target=begin)
        starter.start()
        run_all(COUNT, member)
        measured["wall"] = time.monotonic() - measured.pop("begin")
        starter.join(PATIENCE)
    check_eq(sorted(asleep), list(range(COUNT)), "who has slept")
    return len(asleep)


def values():
    """Nobody gets another's answer."""
    def member(i):
        connection = DRIVER()
        for n in range(20):
            check_eq(connection.ask(f"value {i} {n}"), f"value {i} {n}", "the answer")
        connection.close()

    run_all(30, member)
    return "right"


def prepared():
    def member(i):
        connection = DRIVER()
        wanted = [f"p{i}-{n}" for n in range(10)]
        check_eq(connection.prepared(wanted), wanted, "the answers")
        connection.close()

    run_all(10, member)
    return "right"


def tls():
    if not DRIVER.tls:
        return "none"

    def member(i):
        connection = DRIVER(tls=True)
        for n in range(5):
            check_eq(connection.ask(f"secret {i} {n}"), f"secret {i} {n}", "the answer")
        connection.close()

    run_all(20, member)
    return "right"


def big():
    size, others = 100_000_000, 4

    def member(i):
        connection = DRIVER()
        if i == 0:
            check_eq(connection.big(size), size, "the length")
        else:
            for n in range(50):
                check_eq(connection.ask(f"{i} {n}"), f"{i} {n}", "the answer")
        connection.close()

    run_all(1 + others, member)
    return size


def refused():
    """Nobody listens there, but the number is taken."""
    said = []
    with socket.socket() as taken:
        taken.bind((HOST, 0))

        def member(_):
            try:
                DRIVER(taken.getsockname()[1]).close()
                said.append("connected")
            except Exception as error:
                said.append(described(error))

        run_all(10, member)
    check_eq(len(set(said)), 1, f"different errors of {set(said)}")
    return said[0]


def killed():
    """The server dies while some wait for its answer; who is connected elsewhere sees nothing of it."""
    said, connected, waiting = [], threading.Barrier(5), threading.Barrier(6)

    def member(i):
        if i >= 5:
            connection = DRIVER()
            waiting.wait(PATIENCE)
            for n in range(20):
                check_eq(connection.ask(f"{i} {n}"), f"{i} {n}", "the answer")
                if n == 10:
                    # Killed before it has been asked, it would look to some drivers like one that refuses.
                    time.sleep(1)
                    os.kill(proxy.process.pid, signal.SIGKILL)
            connection.close()
            return
        connection = DRIVER(proxy.port)
        connected.wait(PATIENCE)
        if not DRIVER.sleeps and i == 0:
            proxy.delay(300)
        waiting.wait(PATIENCE)
        try:
            said.append(f"answered {connection.sleep(300)!r}")
        except Exception as error:
            said.append("gone" if described(error) in DRIVER.gone else described(error))
        try:
            connection.close()
        except Exception as error:
            said.append("close: " + described(error))

    with Proxy() as proxy:
        run_all(6, member)
    return sorted(set(said))


def timed_out():
    said = []

    def member(i):
        connection = DRIVER(slow.port, timeout=1)
        barrier.wait(PATIENCE)
        if i == 0:
            slow.delay(3)
        barrier.wait(PATIENCE)
        try:
            said.append(f"answered {connection.sleep(3)!r}")
        except Exception as error:
            said.append(described(error))
        try:
            connection.close()
        except Exception as error:
            said.append("close: " + described(error))

    barrier = threading.Barrier(10)
    with Slow() as slow:
        run_all(10, member)
    return sorted(set(said))


def many_connections():
    """Connecting again and again leaves no descriptor behind."""
    DRIVER().close()
    before = len(os.listdir("/proc/self/fd"))

    def member(_):
        for _ in range(5):
            connection = DRIVER()
            connection.ask("x")
            connection.close()

    run_all(20, member)
    after = len(os.listdir("/proc/self/fd"))
    # A resolver's descriptor may come; a hundred may not.
    return "none left" if after - before < 20 else f"{after - before} left"


CASES = {f.__name__: f for f in (concurrent, values, prepared, tls, big, refused, killed, timed_out, many_connections)}


def main():
    for case in sys.argv[3:] or CASES:
        measured.clear()
        begin = time.monotonic()
        try:
            result = CASES[case]()
        except Exception as error:
            result = f"FAILED {type(error).__name__}: {error}"[:500]
            traceback.print_exc()
        print(json.dumps({"driver": driver_name, "mode": mode, "case": case, "result": result,
                          "seconds": round(time.monotonic() - begin, 2), **measured}), flush=True)


main()
