"""Lock, RLock, Condition, Event, Semaphore, Barrier and Timer, with and without timeouts."""
import threading
from _check import *

# Lock: nobody is inside together, and whoever waits gets in.
lock, inside, entries = threading.Lock(), 0, 0


def critical(_):
    global inside, entries
    for _ in range(50):
        with lock:
            inside += 1
            check_eq(inside, 1, "threads inside the lock")
            entries += 1
            if entries % 7 == 0:
                time.sleep(0.0001)
            inside -= 1


run_all(40, critical)
check_eq(entries, 2000)

lock.acquire()
check(not lock.acquire(blocking=False), "a held lock")
begin = time.monotonic()
check(not lock.acquire(timeout=0.1), "a held lock, with a timeout")
check(time.monotonic() - begin >= 0.099, "the timeout came early")
got = []
t = start(lambda: got.append(lock.acquire(timeout=PATIENCE)))
time.sleep(0.02)
check_eq(got, [])
lock.release()
join(t)
check_eq(got, [True])
lock.release()

# RLock: belongs to a thread.
rlock = threading.RLock()
with rlock, rlock:
    run_all(5, lambda _: check(not rlock.acquire(blocking=False), "someone else's RLock"))
run_all(5, lambda _: check(rlock.acquire(timeout=PATIENCE) and rlock.release() is None, "a free RLock"))

# Condition: a bounded buffer, notify one and all.
condition, items, taken = threading.Condition(), [], []


def consume(_):
    while True:
        with condition:
            check(condition.wait_for(lambda: items, timeout=PATIENCE), "nothing to take")
            item = items.pop(0)
            condition.notify_all()
        if item is None:
            return
        taken.append(item)


def produce(i):
    for n in range(100):
        with condition:
            check(condition.wait_for(lambda: len(items) < 5, timeout=PATIENCE), "no room")
            items.append(i * 100 + n)
            condition.notify_all()


consumers = [start(consume, i) for i in range(10)]
run_all(10, produce)
for _ in consumers:
    with condition:
        condition.wait_for(lambda: len(items) < 5)
        items.append(None)
        condition.notify_all()
join(*consumers)
check_eq(sorted(taken), list(range(1000)))
with condition:
    check(not condition.wait(0.05), "a wait that nobody ends")

# Event.
event, woken = threading.Event(), []
waiters = [start(lambda i=i: (check(event.wait(PATIENCE)), woken.append(i))) for i in range(50)]
check(not event.wait(0.01), "an event that is not set")
check_eq(woken, [])
check_kernel_threads(native=51)
event.set()
join(*waiters)
check_eq(sorted(woken), list(range(50)))

# Semaphore: never more than its number inside.
semaphore, inside, most = threading.BoundedSemaphore(3), 0, 0
count_lock = threading.Lock()


def limited(_):
    global inside, most
    with semaphore:
        with count_lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.002)
        with count_lock:
            inside -= 1


run_all(30, limited)
check(1 <= most <= 3, f"{most} inside a semaphore of 3")
check_raises(ValueError, semaphore.release)
check(all(semaphore.acquire(timeout=1) for _ in range(3)), "three permits")
check(not semaphore.acquire(timeout=0.05), "a fourth permit")

# Barrier: rounds, one leader each, and abort.
rounds, leaders, arrivals = 30, [], [0] * 30
barrier = threading.Barrier(20)


def step(i):
    for r in range(rounds):
        with count_lock:
            arrivals[r] += 1
        if barrier.wait(PATIENCE) == 0:
            leaders.append(r)
        check_eq(arrivals[r], 20, f"arrivals in round {r}")


run_all(20, step)
check_eq(leaders, list(range(rounds)))
broken = []


def until_aborted():
    try:
        barrier.wait(PATIENCE)
    except threading.BrokenBarrierError:
        broken.append(1)


threads = [start(until_aborted) for _ in range(5)]
eventually(lambda: barrier.n_waiting == 5, "five wait at the barrier")
barrier.abort()
join(*threads)
check_eq(len(broken), 5)
check_raises(threading.BrokenBarrierError, threading.Barrier(2).wait, 0.05)

# Timer.
fired = threading.Event()
timers = [threading.Timer(0.01 * i, fired.set if i == 9 else int) for i in range(10)]
cancelled = threading.Timer(0.05, lambda: fail("a cancelled timer fired"))
for timer in timers + [cancelled]:
    timer.start()
cancelled.cancel()
check(fired.wait(PATIENCE), "a timer did not fire")
join(cancelled, *timers)
