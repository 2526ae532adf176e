"""Many threads: memory, creation, what the parked cost the others, sleepers, a thread for each of 100,000 sockets."""

import os

from figures import NAMES, Figure, Target, at_most
from running import PROGRAMS, Failed, end, fields, file_limit, read_line

MILLION = 1000000


def many(bench, figure, way, mode, count, may_own=False):
    """What many.c says. None where the system does not allow so many, which the figure's notes say: first with default
    attributes, then, if `may_own`, with stacks that the program itself takes from one mapping."""
    bench.progress(f"{figure.name}, {way}")
    try:
        said = bench.run(way, "many", mode, count, timeout=200, may_fail=True)
        if said is None and may_own and way != "native":
            figure.notes.append(f"{NAMES[way]}: stacks of 16 KiB of the program's own, the system does not allow so many mappings")
            said = bench.run(way, "many", mode, count, "own", timeout=200, may_fail=True)
    except Failed as failure:
        bench.failures.append(f"{figure.name}: {failure}")
        figure.notes.append(f"{NAMES[way]}: failed")
        return None
    if said is None:
        figure.notes.append(f"{NAMES[way]}: the system does not allow so many")
    return said


def memory(bench):
    """Resident memory of the process, and what the kernel adds (its stacks, page tables and objects, of the machine as
    a whole), per thread that waits on a condition variable."""
    figures = []
    for count, rounds, ways in ((200, 1, bench.ways()),) if bench.checking else ((10000, 3, bench.ways()), (100000, 1, bench.ways())):
        name = f"memory per parked thread, {count:,} with default attributes"
        resident = Figure("memory", f"{name}: resident", "KiB", x=count, targets=[] if bench.checking else at_most(10, "10 KiB"))
        kernel = Figure("memory", f"{name}: resident and the kernel's part", "KiB", x=count)
        create = Figure("memory", f"creating {count:,} threads that stay, each: CPU time", "ns", x=count)
        for _, way in bench.in_turn(ways, rounds):
            said = many(bench, resident, way, "condition", count, may_own=count > 10000)
            if said is None:
                continue
            resident.add(way, said["rss_kb"])
            kernel.add(way, said["rss_kb"] + said["kernel_kb"])
            create.add(way, said["create_cpu_ns"])
        figures += [figure for figure in (resident, kernel, create) if figure.samples or figure.notes]
    return figures


def parked(bench):
    """One switch, against the number of threads that are parked."""
    figures, few = [], None
    counts = (10, 100) if bench.checking else (10, 100, 1000, 10000, 100000, MILLION)
    for count in counts:
        switch = Figure("parked", f"switch between two threads, {count:,} others parked", "ns", x=count)
        ring = Figure("ring", f"a post that goes round through {count:,} threads, one step", "ns", x=count)
        for figure, mode in (switch, "condition"), (ring, "ring"):
            rounds = 1 if count >= 10000 else min(3, bench.rounds)
            for _, way in bench.in_turn(bench.ways(), rounds):
                if way == "native" and count > 10000 or mode == "ring" and count == MILLION:
                    continue
                said = many(bench, figure, way, mode, count, may_own=True)
                if said:
                    figure.add(way, said["switch_cpu_ns"])
            if figure.samples or figure.notes:
                figures.append(figure)
        if count == 10:
            few = switch
        if count == counts[-1] and not bench.checking:
            switch.targets = [Target(f"{count:,} parked; a switch at most 1.25 × that with 10",
                                     lambda figure: figure.middle("green") <= 1.25 * few.middle("green"))]
    return figures


def sleepers(bench):
    figures = []
    for count in (200,) if bench.checking else (10000, 100000):
        cost = Figure("sleepers", f"{count:,} sleepers: CPU time per sleep", "ns", x=count)
        late = Figure("sleepers", f"{count:,} sleepers: how late they wake, on average", "ns", x=count)
        for _, way in bench.in_turn(bench.ways(), 1 if count > 10000 else min(3, bench.rounds)):
            said = many(bench, cost, way, "sleep", count, may_own=True)
            if said is None:
                continue
            cost.add(way, said["sleep_cpu_ns"])
            late.add(way, said["late_us"] * 1000)
        figures += [cost, late]
    return [figure for figure in figures if figure.samples or figure.notes]


def in_several_processes(bench, count):
    """As many threads, in as few processes as the limit of open files allows, all at once."""
    processes = -(-count // (file_limit() - 100))
    figure = Figure("receivers", f"{count:,} threads in recv, in {processes} processes: CPU time of an answer", "ns")
    bench.progress(figure.name)
    command = [os.path.join(PROGRAMS, "many"), "receive", str(-(-count // processes))]
    running = [bench.start("green", command) for _ in range(processes)]
    try:
        lines = [read_line(process, 200) for process in running]
    except Failed as failure:
        bench.failures.append(f"{figure.name}: {failure}")
        return []
    finally:
        for process in running:
            end(process)
    answers = [fields(line).get("answer_cpu_ns") for line in lines]
    if None in answers:
        figure.notes.append(f"{NAMES['green']}: the system does not allow so many")
    else:
        figure.add("green", sum(answers) / processes)
    return [figure]


def receivers(bench):
    """Threads that each wait in recv on a socket of their own."""
    figures = []
    for count in (200,) if bench.checking else (10000, 100000):
        figure = Figure("receivers", f"{count:,} threads in recv, each on its socket: CPU time of an answer", "ns", x=count)
        if count == 100000:
            figure.targets = [Target(f"{count:,} in one process", lambda figure: len(figure.samples["green"]) > 0)]
        needed = count + 100
        if needed > file_limit():
            figure.notes.append(f"needs a limit of open files (RLIMIT_NOFILE) of {needed:,}; here it is {file_limit():,}")
            figures += [figure] + in_several_processes(bench, count)
            count = file_limit() - 100
            figure = Figure("receivers", f"{count:,} threads in recv, each on its socket: CPU time of an answer", "ns", x=count)
        for _, way in bench.in_turn(bench.ways(), 1 if count > 10000 else min(3, bench.rounds)):
            said = many(bench, figure, way, "receive", count, may_own=True)
            if said:
                figure.add(way, said["answer_cpu_ns"])
        figures.append(figure)
    return figures
