"""Threads start, have an identity of their own, end and are joined."""
import _thread
import threading
from _check import *

COUNT = 200
main_ident, main_native = threading.get_ident(), threading.get_native_id()
check_eq(main_native, os.getpid(), "native id of the main thread")

gate = threading.Barrier(COUNT + 1)
seen = {}


def member(i):
    thread = threading.current_thread()
    check_eq(thread.name, f"member {i}")
    check_eq(thread.ident, threading.get_ident())
    check_eq(thread.native_id, threading.get_native_id())
    seen[i] = thread.ident, thread.native_id
    gate.wait(PATIENCE)
    gate.wait(PATIENCE)


threads = [threading.Thread(target=member, args=(i,), name=f"member {i}") for i in range(COUNT)]
for t in threads:
    check(not t.is_alive(), "alive before its start")
    t.start()
gate.wait(PATIENCE)
check_kernel_threads(native=COUNT + 1)
check_eq(threading.active_count(), COUNT + 1, "active threads")
check_eq(len({ident for ident, _ in seen.values()} | {main_ident}), COUNT + 1, "number of identities")
check_eq(len({native for _, native in seen.values()} | {main_native}), COUNT + 1, "number of native ids")
check(all(t.is_alive() for t in threads), "all are alive")
threads[0].join(0.01)
check(threads[0].is_alive(), "a join that timed out")
gate.wait(PATIENCE)
join(*threads)
check(not any(t.is_alive() for t in threads), "none is alive")
check_eq(threading.active_count(), 1)
check_raises(RuntimeError, threads[0].start)

# One after another; each sees what the one before it left.
total = 0


def add(i):
    global total
    total += i


for i in range(1000):
    join(start(add, i))
check_eq(total, sum(range(1000)))

# A thread starts another, which is joined by a third.
results = []


def chain(depth):
    if depth:
        t = start(chain, depth - 1)
        join(t)
    results.append(depth)


join(start(chain, 50))
check_eq(results, list(range(51)))

# Small and large stacks.
for size in 64 << 10, 16 << 20:
    threading.stack_size(size)
    join(start(lambda: results.clear()))
threading.stack_size(0)

# Deep recursion stays on the thread's own stack.
def depth(n):
    return 0 if n == 0 else 1 + depth(n - 1)


run_all(10, lambda i: check_eq(depth(700 + i), 700 + i))

# The low-level interface, which doesn't join.
lock = _thread.allocate_lock()
lock.acquire()
_thread.start_new_thread(lock.release, ())
check(lock.acquire(timeout=PATIENCE), "released by a bare thread")

# A daemon thread that is blocked doesn't keep the process alive.
threading.Thread(target=threading.Event().wait, daemon=True).start()
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
