"""Servers with a thread for each connection, against loops that an expert would write."""

import os
import shutil
import signal
import statistics
import subprocess
import time

from figures import Figure, at_most, at_most_times, k_at_least
from running import PROGRAMS, Failed, end, fields, file_limit, read_line, tasks

BINARIES = {"epoll": "server_epoll", "uring": "server_uring"}
K_TARGETS = {1: 1.0, 50: 1.5, 1000: 1.8, 10000: 1.75}


class Pair:
    """A server on its core, with its load on the other, all connections open and quiet."""

    def __init__(self, bench, way, protocol, connections, **environment):
        self.bench, self.way, self.connections = bench, way, connections
        self.server = self.load = None
        binary = os.path.join(PROGRAMS, BINARIES.get(way, "server_threads"))
        env = bench.environment(way, **environment)
        try:
            self.server = bench.start(way, [binary, protocol], env=env)
            port = read_line(self.server, 20)
            self.load = bench.start("native", [os.path.join(PROGRAMS, "load"), port, str(self.server.pid), protocol, str(connections)],
                                    core=bench.load_core, stdin=subprocess.PIPE)
            if read_line(self.load) != "ready":
                raise Failed("the load said something else than ready")
            self.check_threads()
        except BaseException:
            self.close()
            raise

    def check_threads(self):
        """That it is what its name says."""
        count = tasks(self.server.pid)
        expected = self.connections + 1 if self.way == "native" else 1
        if self.way != "uring" and count != expected:
            raise Failed(f"server, {self.way}: {count} kernel threads with {self.connections} connections, not {expected}")

    def run(self, milliseconds, busy=None):
        self.load.stdin.write(f"{busy or self.connections} {max(1, int(milliseconds))}\n")
        self.load.stdin.flush()
        return fields(read_line(self.load))

    def close(self):
        for process in self.load, self.server:
            if process:
                end(process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def loops(bench):
    return bench.ways("epoll", *(["uring"] if has_uring(bench) else []))


def has_uring(bench):
    """Whether it was built, and this kernel lets us use it."""
    if not hasattr(bench, "uring"):
        path = os.path.join(PROGRAMS, "server_uring")
        bench.uring = False
        if os.path.exists(path):
            server = bench.start("native", [path, "echo"], stderr=subprocess.DEVNULL)
            try:
                bench.uring = read_line(server, 20).isdigit()
            except Failed:
                bench.notes.append("io_uring cannot be used here")
            end(server)
    return bench.uring


def enough_files(bench, connections):
    # The servers and the load raise it themselves, as far as they may.
    if file_limit() >= connections + 100:
        return True
    bench.notes.append(f"{connections:,} connections need a limit of open files (RLIMIT_NOFILE) of {connections + 100:,}; it is {file_limit():,}")
    return False


def protocol_figures(bench, protocol):
    figures = []
    for connections in (1, 20) if bench.checking else (1, 50, 1000, 10000):
        if not enough_files(bench, connections):
            continue
        bench.progress(f"{protocol}, {connections:,} connections")
        plural = "connections" if connections > 1 else "connection"
        is_echo = protocol == "echo"
        rate = Figure(protocol, f"{protocol}, {connections:,} {plural}: requests per second", "/s", "more", x=connections,
                      targets=k_at_least(K_TARGETS[connections]) if is_echo and connections in K_TARGETS else ())
        cpu = Figure(protocol, f"{protocol}, {connections:,} {plural}: server CPU per request", "ns", x=connections,
                     targets=at_most_times(1.05, "epoll") if is_echo and connections == 50 else ())
        measure(bench, protocol, connections, rate, cpu)
        figures += [rate, cpu]
    return figures


def measure(bench, protocol, connections, rate, cpu, ways=None, **environment):
    """Fills two figures. `environment` is for the green ways only."""
    milliseconds = 400 if connections < 10000 else 1000
    shares = {}
    pairs = {}
    try:
        for way in ways or loops(bench):
            pairs[way] = Pair(bench, way, protocol, connections, **(environment if bench.is_green(way) else {}))
        for way in pairs:
            pairs[way].run(milliseconds * bench.scale / 4)
        for _, way in bench.in_turn(pairs, bench.rounds if connections < 10000 else min(bench.rounds, 5)):
            said = pairs[way].run(milliseconds * bench.scale)
            rate.add(way, said["requests"] / said["wall_ns"] * 1e9)
            cpu.add(way, said["server_cpu_ns"] / said["requests"])
            shares.setdefault(way, []).append(said["load_cpu_ns"] / said["server_cpu_ns"])
    finally:
        for pair in pairs.values():
            pair.close()
    if connections > 1:
        full = [f"{way} {statistics.median(values):.2f}" for way, values in shares.items() if statistics.median(values) > 0.97]
        if full:
            rate.notes.append(f"the load was the limit (its CPU time as a part of the server's: {', '.join(full)}): at least so much")


SPIN = "GREENPATCH_SPIN"


def knows(bench, way, name):
    """Whether this library has a setting of that name."""
    process = bench.start(way, ["/bin/true"], env=bench.environment(way, GREENPATCH_HELP="1"), stderr=subprocess.STDOUT)
    return name in process.communicate(timeout=20)[0]


def spinning(bench):
    """The server may use one core only, where the default is not to spin."""
    ways = [way for way in bench.ways() if way == "native" or knows(bench, way, SPIN)]
    if len(ways) == 1 or bench.checking:
        return []
    bench.progress("echo, 1 connection, spinning")
    rate = Figure("echo", f"echo, 1 connection, {SPIN}=50: requests per second", "/s", "more", x=1, targets=k_at_least(3))
    cpu = Figure("echo", f"echo, 1 connection, {SPIN}=50: server CPU per request", "ns", x=1)
    measure(bench, "echo", 1, rate, cpu, ways=ways, **{SPIN: "50"})
    return [rate, cpu]


def echo(bench):
    figures = protocol_figures(bench, "echo")
    return figures[:2] + spinning(bench) + figures[2:]


def http(bench):
    return protocol_figures(bench, "http")


# System calls per request, in a run of its own.

def calls_counted_by_perf(pid, run):
    """perf's count of a tracepoint: it does not slow the server."""
    perf = subprocess.Popen(["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", str(pid)], stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(0.5)
    if perf.poll() is not None:
        perf.stderr.close()
        return None
    said = run()
    perf.send_signal(signal.SIGINT)
    out = perf.communicate(timeout=30)[1]
    for line in out.splitlines():
        if "raw_syscalls:sys_enter" in line and line.split(",")[0].isdigit():
            return int(line.split(",")[0]) / said["requests"]
    return None


def calls_counted_by_strace(pid, run):
    strace = subprocess.Popen(["strace", "-f", "-c", "-p", str(pid)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    if strace.poll() is not None:
        strace.stderr.close()
        return None
    said = run()
    strace.send_signal(signal.SIGINT)
    out = strace.communicate(timeout=30)[1]
    for line in out.splitlines():
        words = line.split()
        if words and words[-1] == "total":
            return int(words[2 if len(words) == 4 else 3]) / said["requests"]
    return None


COUNTERS = {"perf": calls_counted_by_perf, "strace": calls_counted_by_strace}


def syscalls(bench):
    figures = []
    connections = 20 if bench.checking else 50
    for protocol in "echo", "http":
        figure = Figure("syscalls", f"{protocol}, {connections} connections: system calls per request", "", x=connections, plain=True,
                        targets=at_most(2.1, "2.1") if protocol == "echo" and not bench.checking else ())
        for way in loops(bench):
            bench.progress(f"system calls per request, {protocol}, {way}")
            with Pair(bench, way, protocol, connections) as pair:
                pair.run(50 * bench.scale)
                for tool, count in COUNTERS.items():
                    if not shutil.which(tool):
                        continue
                    calls = count(pair.server.pid, lambda: pair.run(500 * bench.scale))
                    if calls is not None:
                        figure.add(way, calls)
                        figure.notes = [f"counted with {tool}"]
                        break
        if figure.samples:
            figures.append(figure)
    return figures


def idle(bench):
    """What a busy connection costs among idle ones."""
    figures = []
    busy = 10 if bench.checking else 1000
    ways = bench.ways("epoll")
    for quiet in (0, 20) if bench.checking else (0, 100, 1000, 10000):
        if not enough_files(bench, busy + quiet):
            continue
        bench.progress(f"{busy:,} busy connections among {quiet:,} idle ones")
        figure = Figure("idle", f"echo, {busy:,} busy connections, {quiet:,} idle: server CPU per request", "ns", x=quiet)
        pairs = {}
        try:
            for way in ways:
                pairs[way] = Pair(bench, way, "echo", busy + quiet)
                pairs[way].run(100 * bench.scale, busy)
            for _, way in bench.in_turn(ways, min(bench.rounds, 5)):
                said = pairs[way].run(400 * bench.scale, busy)
                figure.add(way, said["server_cpu_ns"] / said["requests"])
        finally:
            for pair in pairs.values():
                pair.close()
        figures.append(figure)
    return figures
