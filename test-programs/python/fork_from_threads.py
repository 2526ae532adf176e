"""os.fork with threads alive: the child has the thread that forked, and can make its own."""
import threading
from _check import *

stay = threading.Event()
others = [start(stay.wait) for _ in range(20)]
value = threading.local()


def in_child(i):
    check_eq(value.i, i, "the forking thread's local")
    check_eq(threading.active_count(), 1, "threads in the child")
    check_eq(threading.get_native_id(), os.getpid(), "native id in the child")
    r, w = os.pipe()
    ended = []

    def reader():
        ended.append(os.read(r, 10))

    threads = [start(reader) for _ in range(5)]
    if GREEN:
        check_eq(kernel_threads(), 1, "kernel threads in the child")
    for _ in threads:
        os.write(w, b"0123456789")
    join(*threads)
    check_eq(ended, [b"0123456789"] * 5)
    time.sleep(0.001)


def fork(i):
    value.i = i
    child = os.fork()
    if child == 0:
        try:
            in_child(i)
            os._exit(i)
        finally:
            os._exit(99)
    check_eq(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), i, "exit status of the child")


fork(1)
run_all(15, lambda i: fork(i))

# A grandchild, and a child whose other threads' locks it never needs.
child = os.fork()
if child == 0:
    value.i = 3
    fork(3)
    os._exit(0)
check_eq(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
check(all(t.is_alive() for t in others), "the parent's threads")
stay.set()
join(*others)
check_helpers_end()
