"""multiprocessing with fork: its semaphores are shared between processes, its pools use threads and pipes."""
import multiprocessing
import multiprocessing.shared_memory
import threading
from _check import *

context = multiprocessing.get_context("fork")


def square(x):
    return x * x


def count(counter, lock, times):
    for _ in range(times):
        with lock:
            counter.value += 1


def echo(connection):
    while (item := connection.recv()) is not None:
        connection.send(item * 2)


def put(queue, i):
    queue.put((i, "x" * i))


def meet(barrier, event):
    barrier.wait(PATIENCE)
    check(event.wait(PATIENCE))


with context.Pool(3) as pool:
    check_eq(pool.map(square, range(200)), [x * x for x in range(200)])
    pending = [pool.apply_async(square, (i,)) for i in range(50)]
    check_eq([p.get(PATIENCE) for p in pending], [i * i for i in range(50)])
    # From threads.
    run_all(10, lambda i: check_eq(pool.map(square, range(i)), [x * x for x in range(i)]))
    pool.close()
    pool.join()

# With other threads of this process alive.
stay = threading.Event()
others = [start(stay.wait) for _ in range(10)]

counter, lock = context.Value("i", 0, lock=False), context.Lock()
children = [context.Process(target=count, args=(counter, lock, 200)) for _ in range(4)]
for child in children:
    child.start()
run_all(4, lambda _: count(counter, lock, 200))
for child in children:
    child.join(PATIENCE)
    check_eq(child.exitcode, 0)
check_eq(counter.value, 1600, "the shared counter")

here, there = context.Pipe()
child = context.Process(target=echo, args=(there,))
child.start()
for i in range(100):
    here.send([i] * i)
    check_eq(here.recv(), [i] * i * 2)
here.send(None)
child.join(PATIENCE)
check_eq(child.exitcode, 0)

queue = context.Queue()
children = [context.Process(target=put, args=(queue, i)) for i in range(10)]
for child in children:
    child.start()
check_eq(sorted(queue.get(timeout=PATIENCE) for _ in children), [(i, "x" * i) for i in range(10)])
for child in children:
    child.join(PATIENCE)

barrier, event = context.Barrier(5), context.Event()
children = [context.Process(target=meet, args=(barrier, event)) for _ in range(4)]
for child in children:
    child.start()
barrier.wait(PATIENCE)
event.set()
for child in children:
    child.join(PATIENCE)
    check_eq(child.exitcode, 0)

semaphore = context.Semaphore(0)
waiters = [start(lambda: check(semaphore.acquire(timeout=PATIENCE))) for _ in range(5)]
child = context.Process(target=lambda: [semaphore.release() for _ in range(5)])
child.start()
join(*waiters)
child.join(PATIENCE)
check(not semaphore.acquire(timeout=0.05), "one permit too many")
stay.set()
join(*others)
check_helpers_end()
