"""Running programs: in a way, on a core, with an end."""

import os
import resource
import select
import subprocess
import sys

import settings
from figures import NAMES

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = os.path.join(ROOT, "test-programs", "build", "bench")
SCRIPTS = os.path.join(ROOT, "test-programs", "bench")
TIMEOUT = 120
# What many.c ends with where the system sets a limit.
LIMITED = 3


class Failed(Exception):
    """A program that did not do what it should."""


def fields(line):
    """name=value pairs, numbers as numbers."""
    pairs = dict(pair.split("=", 1) for pair in line.split() if "=" in pair)
    result = {}
    for name, value in pairs.items():
        try:
            result[name] = float(value)
        except ValueError:
            result[name] = value
    return result


class Bench:
    """What the parts need to know: which libraries, how much, on which cores."""

    # How long a sample is, as a part of what the measurement takes for a good one, and how many rounds there are.
    SIZES = {"full": (1.0, 5), "quick": (0.5, 3), "check": (0.02, 1)}

    def __init__(self, library, other=None, size="full", extra=()):
        self.size = size
        self.scale, self.rounds = self.SIZES[size]
        self.libraries = {"green": library, "other": other}
        self.extra = dict(pair.split("=", 1) for pair in extra)
        cores = sorted(os.sched_getaffinity(0))
        # The server, and everything that is measured; the load. One core has to do for both if there is but one.
        self.core, self.load_core = cores[0], cores[-1]
        self.notes, self.failures = [], []

    @property
    def checking(self):
        return self.size == "check"

    def ways(self, *also):
        return ["native", "green"] + (["other"] if self.libraries["other"] else []) + list(also)

    def is_green(self, way):
        return way in self.libraries

    def environment(self, way, **more):
        library = self.libraries.get(way)
        env = settings.environment("all" if library else "native", library)
        if library:
            env.update(self.extra)
        env.update(more)
        return env

    def pinned(self, core):
        return lambda: os.sched_setaffinity(0, {core})

    def start(self, way, command, core=None, **popen):
        env = popen.pop("env", None) or self.environment(way)
        popen.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True,
                                preexec_fn=self.pinned(self.core if core is None else core), **popen)

    def run(self, way, program, *arguments, timeout=TIMEOUT, may_fail=False, **environment):
        """Runs a program to its end and returns what it printed as fields; with `may_fail`, None where the system sets a limit."""
        command = [program if os.path.isabs(program) else os.path.join(PROGRAMS, program), *map(str, arguments)]
        env = self.environment(way, **environment)
        process = self.start(way, command, env=env)
        try:
            out = process.communicate(timeout=timeout)[0]
        except subprocess.TimeoutExpired:
            end(process)
            raise Failed(f"{' '.join(command)}, {NAMES[way]}: still running after {timeout} s") from None
        if process.returncode != 0:
            if may_fail and process.returncode == LIMITED:
                return None
            raise Failed(f"{' '.join(command)}, {NAMES[way]}: status {process.returncode}: {out.strip()}")
        return fields(out)

    def in_turn(self, ways, rounds=None):
        """Pairs of round and way: A B C, A B C, …"""
        for number in range(rounds or self.rounds):
            for way in ways:
                yield number, way

    def progress(self, text):
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def end(process):
    if process.poll() is None:
        process.kill()
    process.wait()
    for stream in process.stdin, process.stdout:
        if stream:
            stream.close()


def read_line(process, timeout=TIMEOUT):
    """The next line of a program that prints one line at a time."""
    if not select.select([process.stdout], [], [], timeout)[0]:
        raise Failed(f"{' '.join(process.args)}: said nothing for {timeout} s")
    line = process.stdout.readline()
    if not line:
        raise Failed(f"{' '.join(process.args)}: ended with status {process.wait()}")
    return line.strip()


def file_limit():
    """The most open files that a program may have that raises its limit."""
    with open("/proc/self/status") as status:
        capabilities = next(int(line.split()[1], 16) for line in status if line.startswith("CapEff:"))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if capabilities >> 24 & 1:  # CAP_SYS_RESOURCE
        with open("/proc/sys/fs/nr_open") as most:
            hard = max(hard, int(most.read()))
    return hard if hard != resource.RLIM_INFINITY else 1 << 30


def tasks(pid):
    """Kernel threads of a process, without the library's helpers."""
    count = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/comm") as comm:
                count += comm.read() != "greenpatch-io\n"
        except OSError:
            pass
    return count
