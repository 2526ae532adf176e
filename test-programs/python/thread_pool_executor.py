"""concurrent.futures.ThreadPoolExecutor."""
import concurrent.futures as futures
import threading
from _check import *

with futures.ThreadPoolExecutor(50) as pool:
    # All fifty workers are inside at once, or the barrier breaks.
    barrier = threading.Barrier(50)
    check_eq(sorted(pool.map(lambda _: barrier.wait(PATIENCE), range(50))), list(range(50)))
    check_kernel_threads(native=51)

    def work(i):
        time.sleep(0.001 * (i % 7))
        if i % 10 == 3:
            raise ValueError(i)
        return i * i

    pending = {pool.submit(work, i): i for i in range(300)}
    for future in futures.as_completed(pending, timeout=PATIENCE):
        i = pending[future]
        if i % 10 == 3:
            check_eq(check_raises(ValueError, future.result).args, (i,))
        else:
            check_eq(future.result(), i * i)
    check_eq(list(pool.map(work, [i for i in range(100) if i % 10 != 3])), [i * i for i in range(100) if i % 10 != 3])

gate = threading.Event()
with futures.ThreadPoolExecutor(1) as pool:
    blocked, waiting = pool.submit(gate.wait, PATIENCE), pool.submit(int)
    check_raises(futures.TimeoutError, blocked.result, timeout=0.05)
    check(waiting.cancel(), "a future that has not begun can be cancelled")
    check(not blocked.cancel(), "one that runs can't")
    ended = futures.Future()
    ended.set_result(1)
    check_eq(futures.wait([blocked, ended], timeout=0.05), ({ended}, {blocked}))
    called = []
    blocked.add_done_callback(called.append)
    gate.set()
    check_eq(blocked.result(PATIENCE), True)
eventually(lambda: called == [blocked], "the callback")
check_raises(RuntimeError, pool.submit, int)
join(*[t for t in threading.enumerate() if t is not threading.main_thread()])
eventually(lambda: kernel_threads() == 1, "kernel threads remain after the pools")
