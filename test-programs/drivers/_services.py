"""Web services in processes of their own, with what they are started by, and clients for them."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(FOLDER))
sys.path[:0] = [os.path.join(ROOT, "test-programs", "python")]
from _check import check, check_eq, eventually, run_all, skip

COUNT, SECONDS = 20, 0.5


def need(*modules):
    if "TEST_MYSQL_PORT" not in os.environ:
        skip("needs a server: scripts/mariadb run …")
    for module in modules:
        try:
            __import__(module)
        except ImportError as error:
            skip(str(error))


def get(path, name):
    """The JSON that a service on the socket `path` answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(path)
        connection.sendall(f"GET {name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        with connection.makefile("rb") as answer:
            status = answer.readline()
            check(b" 200 " in status, f"{name}: {status!r}")
            while answer.readline().strip():
                pass
            return json.loads(answer.read())


class Service:
    """A service that listens on `path`, a socket in a folder of its own."""

    def __init__(self, *command, **variables):
        """In the command, SOCKET stands for the path."""
        self.path = os.path.join(tempfile.mkdtemp(dir="/tmp"), "socket")
        env = dict(os.environ, PYTHONPATH=os.pathsep.join([FOLDER, *sys.path[:1], os.path.join(ROOT, "shim", "python")]), **variables)
        self.process = subprocess.Popen([sys.executable, "-W", "ignore", *(word.replace("SOCKET", self.path) for word in command)], env=env)

    def __enter__(self):
        def listens():
            check(self.process.poll() is None, f"the service has ended with {self.process.returncode}")
            try:
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.connect(self.path)
                return True
            except OSError:
                return False

        eventually(listens, "the service does not listen")
        return self

    def __exit__(self, *_):
        def sleeps():
            with open(f"/proc/{self.process.pid}/stat") as stat:
                return stat.read().rpartition(")")[2].split()[0] in "SZ"

        # A signal that arrives after Python's last look for signals and before the system call that waits is seen only
        # when the wait ends by itself: in eventlet a minute later.
        eventually(sleeps, "the service does not come to rest")
        self.process.send_signal(signal.SIGTERM)
        self.status = self.process.wait(20)
        if os.path.exists(self.path):
            os.unlink(self.path)
        os.rmdir(os.path.dirname(self.path))

    def ask_at_once(self, seconds=SECONDS):
        """COUNT slow requests at once; how long they took, and the most kernel threads that the service had meanwhile."""
        said = {}

        def ask(i):
            said[i] = get(self.path, f"/slow/{i * 7919}/{seconds}")

        begin = time.monotonic()
        run_all(COUNT, ask)
        took = time.monotonic() - begin
        check_eq({i: answer["value"] for i, answer in said.items()}, {i: i * 7919 for i in range(COUNT)}, "the answers")
        return took, max(answer["kernel_threads"] for answer in said.values())

    def check_serves_at_once(self):
        # One after another they take COUNT * SECONDS. A machine that is busy elsewhere gets three tries to be quick.
        for _ in range(3):
            took, threads = self.ask_at_once()
            if took < COUNT * SECONDS / 2:
                return threads
        check(False, f"{COUNT} requests of {SECONDS} s took {took:.2f} s")

    def check_keeps_no_descriptors(self):
        get(self.path, "/slow/1/0")
        before = get(self.path, "/open")["descriptors"]
        for _ in range(5):
            run_all(COUNT, lambda i: get(self.path, f"/slow/{i}/0"))
        eventually(lambda: get(self.path, "/open")["descriptors"] <= before + COUNT, f"more and more descriptors, {before} at first")
