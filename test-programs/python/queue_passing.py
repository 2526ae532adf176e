"""Queues: what is put in comes out once, in order, and both ends block."""
import queue
import threading
from _check import *

# A ring of threads: a token goes around.
ring = [queue.Queue() for _ in range(100)]


def pass_on(i):
    for _ in range(10):
        ring[(i + 1) % 100].put(ring[i].get(timeout=PATIENCE) + 1)


threads = [start(pass_on, i) for i in range(100)]
check_kernel_threads(native=101)
ring[0].put(0)
join(*threads)
check_eq(ring[0].get(timeout=PATIENCE), 1000)

# A bounded queue holds the producers back.
bounded, longest, out = queue.Queue(maxsize=3), 0, []


def produce(i):
    for n in range(50):
        bounded.put((i, n), timeout=PATIENCE)


def consume(_):
    global longest
    while (item := bounded.get(timeout=PATIENCE)) is not None:
        longest = max(longest, bounded.qsize())
        out.append(item)
        bounded.task_done()
    bounded.task_done()


consumers = [start(consume, i) for i in range(5)]
run_all(20, produce)
bounded.join()
check_eq(sorted(out), [(i, n) for i in range(20) for n in range(50)])
for _ in consumers:
    bounded.put(None)
join(*consumers)
check(longest <= 3, f"{longest} items in a queue of 3")

# With one consumer, each producer's order is kept.
simple, received = queue.SimpleQueue(), {i: [] for i in range(10)}


def one_consumer():
    for _ in range(1000):
        i, n = simple.get(timeout=PATIENCE)
        received[i].append(n)


consumer = start(one_consumer)
run_all(10, lambda i: [simple.put((i, n)) for n in range(100)])
join(consumer)
check(all(got == list(range(100)) for got in received.values()), "order within a producer")

# Timeouts.
check_raises(queue.Empty, simple.get, timeout=0.05)
check_raises(queue.Empty, bounded.get_nowait)
full = queue.LifoQueue(maxsize=1)
full.put(1)
check_raises(queue.Full, full.put, 2, timeout=0.05)
check_raises(queue.Full, full.put_nowait, 2)

# Other orders.
heap = queue.PriorityQueue()
run_all(10, lambda i: [heap.put(n * 10 + i) for n in range(10)])
check_eq([heap.get() for _ in range(100)], list(range(100)))
