"""KeyboardInterrupt ends whatever the main thread is blocked in; other threads stay blocked."""
import queue
import select
import signal
import socket
import subprocess
import threading
from _check import *

signal.signal(signal.SIGINT, signal.default_int_handler)
stay = threading.Event()
others = [start(stay.wait) for _ in range(5)]
# CPython takes a thread for ended once a join of it was interrupted.
joined = start(stay.wait)
listener = socket.create_server(("127.0.0.1", 0))
left, right = socket.socketpair()
r, w = os.pipe()
lock = threading.Lock()
lock.acquire()
condition = threading.Condition()


def wait_condition():
    with condition:
        condition.wait()


blocking = {
    "sleep": lambda: time.sleep(PATIENCE),
    "lock.acquire": lock.acquire,
    "lock.acquire with a timeout": lambda: lock.acquire(timeout=PATIENCE),
    "condition.wait": wait_condition,
    "event.wait": threading.Event().wait,
    "queue.get": queue.Queue().get,
    "SimpleQueue.get": queue.SimpleQueue().get,
    "accept": listener.accept,
    "recv": lambda: left.recv(1),
    "read": lambda: os.read(r, 1),
    "select": lambda: select.select([r], [], []),
    "poll": lambda: (lambda p: (p.register(r, select.POLLIN), p.poll()))(select.poll()),
    "join": joined.join,
}

for sender in "a thread", "a child":
    for name, call in blocking.items():
        if sender == "a thread":
            thread = start(lambda: (time.sleep(0.02), os.kill(os.getpid(), signal.SIGINT)))
        elif name not in ("sleep", "accept", "lock.acquire"):
            continue
        else:
            thread = subprocess.Popen(["sh", "-c", f"sleep 0.2; kill -INT {os.getpid()}"])
        try:
            result = call()
            fail(f"{name} returned {result!r}")
        except KeyboardInterrupt:
            pass
        if sender == "a thread":
            join(thread)
        else:
            check_eq(thread.wait(PATIENCE), 0)
check(all(t.is_alive() for t in others), "the other threads are still blocked")

# All of it works again afterwards.
lock.release()
check(lock.acquire(timeout=1), "the lock")
right.send(b"y")
check_eq(left.recv(1), b"y")
client = start(lambda: socket.create_connection(listener.getsockname()).close())
listener.accept()[0].close()
join(client)
stay.set()
join(joined, *others)
