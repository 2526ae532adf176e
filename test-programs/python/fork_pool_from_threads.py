"""Pools and queues of forked processes, made by threads while others do I/O on pipes and sockets without a pause."""
import multiprocessing
import socket
import threading
from _check import *

context = multiprocessing.get_context("fork")
MAKERS = 3
stop = threading.Event()
moved = [0] * 6


def bounce(i, a_read, a_write, b_read, b_write):
    """Two ends of one line: what one says the other answers."""
    def answer():
        while data := b_read():
            b_write(data)

    other = start(answer)
    while not stop.is_set():
        a_write(b"x" * 100)
        got = 0
        while got < 100:
            got += len(a_read())
        moved[i] += 1
    return other


def over_pipe(i):
    r1, w1 = os.pipe()
    r2, w2 = os.pipe()
    other = bounce(i, lambda: os.read(r2, 100), lambda d: os.write(w1, d), lambda: os.read(r1, 100), lambda d: os.write(w2, d))
    os.close(w1)
    join(other)
    [os.close(fd) for fd in (r1, r2, w2)]


def over_socket(i):
    left, right = socket.socketpair()
    other = bounce(i, lambda: left.recv(100), left.sendall, lambda: right.recv(100), right.sendall)
    left.shutdown(socket.SHUT_RDWR)
    join(other)
    left.close()
    right.close()


def square(x):
    return x * x


def put(queue, i):
    queue.put((i, "x" * 10000))


def make(i):
    with context.Pool(2) as pool:
        check_eq(pool.map(square, range(100), chunksize=7), [x * x for x in range(100)])
        check_eq(sorted(pool.imap_unordered(square, range(30))), [x * x for x in range(30)])
        pool.close()
        pool.join()
    queue = context.Queue()
    children = [context.Process(target=put, args=(queue, n)) for n in range(4)]
    for child in children:
        child.start()
    check_eq(sorted(queue.get(timeout=PATIENCE) for _ in children), [(n, "x" * 10000) for n in range(4)])
    for child in children:
        child.join(PATIENCE)
        # multiprocessing also reaps children where another thread starts one: that one is about to store the exit code.
        eventually(lambda: child.exitcode is not None, "a child's exit code")
        check_eq(child.exitcode, 0)


# The children hold copies of the pipes' ends, so that only those that are shut down would see their end.
talkers = [start(over_pipe, i) for i in range(3)] + [start(over_socket, i) for i in range(3, 6)]
makers = [start(make, i) for i in range(MAKERS)]
join(*makers)
before = list(moved)
eventually(lambda: all(now > then for now, then in zip(moved, before)), "the talkers go on")
stop.set()
join(*talkers)
check_helpers_end()
