"""The cost of single operations: hand-overs, creation, calls that do not block, locks; arming and start-up."""

import os
import resource
import statistics
import time

from figures import Figure, Target, at_most, at_most_times, k_at_least
from running import Failed


def both(limit_ns, text, k):
    return [at_most(limit_ns, text), k_at_least(k)]


def measured(bench, part, rows):
    """Rows of: name of the measurement in micro.c, name, targets. CPU time of the process: it never waits for anybody
    else, and where other programs share the machine, this is what does not count them."""
    figures = []
    for program, name, targets in rows:
        figure = Figure(part, name, "ns", targets=targets)
        for number, way in bench.in_turn(bench.ways()):
            bench.progress(f"{name}, {way}, {number + 1} of {bench.rounds}")
            figure.add(way, bench.run(way, "micro", program, int(100 * bench.scale))["cpu_ns"])
        figures.append(figure)
    return figures


def handover(bench):
    return measured(bench, "handover", [
        ("semaphore", "semaphore round trip", both(200, "200 ns", 25)),
        ("condition", "condition variable round trip", both(300, "300 ns", 25)),
        ("mutex", "mutex hand-off, round trip", ()),
        ("pipe", "pipe round trip", ()),
        ("socketpair", "socketpair round trip", ()),
        ("yield", "sched_yield to another thread", at_most(60, "60 ns")),
    ])


def threads(bench):
    return measured(bench, "threads", [
        ("create_join", "create + join", both(1000, "1 µs", 25)),
        ("create_join_100", "create + join, 100 alive at once", ()),
    ])


def calls(bench):
    rows = []
    states = [("unarmed", "nothing redirected yet"), ("alone", "redirected, no other thread alive"), ("others", "with another green thread")]
    for program, name in ("socket_calls", "write + read, socketpair"), ("pipe_calls", "write + read, pipe"), ("other_call", "getppid"):
        for state, meaning in states:
            rows.append((f"{program}_{state}", f"{name}, {meaning}", at_most_times(1.1, "native") if program != "other_call" else ()))
    rows += [(f"{program}_others", f"{name}, with another green thread", at_most_times(1.1, "native")) for program, name in (
        ("null_calls", "write + read, /dev/null"), ("file_calls", "pwrite + pread, a file"), ("event_calls", "write + read, an eventfd"))]
    rows.append(("lock", "lock + unlock, uncontended", Target("1.0 × kernel threads (here: 1.03, what repeats differ by)",
                                                             lambda figure: 1 / figure.middle_ratio("green") <= 1.03)))
    return measured(bench, "calls", rows)


def startup(bench):
    """The first thread of a program, which arms; and a program that never makes one."""
    first = Figure("startup", "a program's first thread, arming included: CPU time", "ns", targets=at_most(2e6, "2 ms"))
    for _, way in bench.in_turn(bench.ways(), 1 if bench.checking else 15):
        bench.progress(f"first thread, {way}")
        first.add(way, bench.run(way, "micro", "first_thread")["cpu_ns"])
    loading = Figure("startup", "/bin/true: CPU time", "ns", note="start, load and end of a process without threads")
    for _, way in bench.in_turn(bench.ways()):
        bench.progress(f"start-up, {way}")
        loading.add(way, cpu_of_processes(bench, way, 3 if bench.checking else int(100 * bench.scale)))
    return [first, loading]


def cpu_of_processes(bench, way, count):
    """Middle of the CPU times of so many runs of /bin/true, fork and exec not included as far as they are ours."""
    env, times = bench.environment(way), []
    for _ in range(count):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        pid = os.posix_spawn("/bin/true", ["true"], env)
        deadline = time.monotonic() + 20
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            if time.monotonic() > deadline:
                os.kill(pid, 9)
            time.sleep(0.0003)
        if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
            raise Failed(f"/bin/true, {way}: failed")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(times) * 1e9
