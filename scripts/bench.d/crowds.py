"""Many threads: memory, creation, what the parked cost the others, sleepers, a thread for each of 100,000 sockets."""

from figures import Figure, Target, at_most

MILLION, SMALL_STACK = 1000000, 16384


def many(bench, way, mode, count, *stack):
    """None where the system does not allow so many."""
    return bench.run(way, "many", mode, count, *stack, timeout=200, may_fail=True)


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
            bench.progress(f"{name}, {way}")
            said = many(bench, way, "condition", count)
            if said is None:
                resident.notes.append(f"{way}: the system does not allow so many threads")
                continue
            resident.add(way, said["rss_kb"])
            kernel.add(way, said["rss_kb"] + said["kernel_kb"])
            create.add(way, said["create_cpu_ns"])
        figures += [figure for figure in (resident, kernel, create) if figure.samples]
    return figures


def parked(bench):
    """One switch, against the number of threads that are parked."""
    figures, few = [], None
    counts = (10, 100) if bench.checking else (10, 100, 1000, 10000, 100000, MILLION)
    for count in counts:
        switch = Figure("parked", f"switch between two threads, {count:,} others parked", "ns", x=count)
        ring = Figure("ring", f"a post that goes round through {count:,} threads, one step", "ns", x=count)
        for figure, mode in (switch, "condition"), (ring, "ring"):
            rounds = 1 if count > 10000 else min(3, bench.rounds)
            for _, way in bench.in_turn(bench.ways(), rounds):
                if way == "native" and count > 10000 or mode == "ring" and count == MILLION:
                    continue
                bench.progress(f"{figure.name}, {way}")
                stack = (SMALL_STACK,) if count == MILLION else ()
                said = many(bench, way, mode, count, *stack)
                if said is None:
                    figure.notes.append(f"{way}: the system does not allow so many threads")
                else:
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
            bench.progress(f"{count:,} sleepers, {way}")
            said = many(bench, way, "sleep", count)
            if said is None:
                cost.notes.append(f"{way}: the system does not allow so many threads")
                continue
            cost.add(way, said["sleep_cpu_ns"])
            late.add(way, said["late_us"] * 1000)
        figures += [cost, late]
    return [figure for figure in figures if figure.samples or figure.notes]


def receivers(bench):
    """Threads that each wait in recv on a socket of their own."""
    figures = []
    for count in (200,) if bench.checking else (10000, 100000):
        target = Target(f"{count:,} in one process", lambda figure: "green" in figure.samples) if count == 100000 else ()
        figure = Figure("receivers", f"{count:,} threads in recv, each on its socket: CPU time of an answer", "ns", x=count, targets=target)
        for _, way in bench.in_turn(bench.ways(), 1 if count > 10000 else min(3, bench.rounds)):
            bench.progress(f"{count:,} receivers, {way}")
            said = many(bench, way, "receive", count)
            if said is None:
                figure.notes.append(f"{way}: the system does not allow so many threads or open files")
            else:
                figure.add(way, said["answer_cpu_ns"])
        figures.append(figure)
    return figures
