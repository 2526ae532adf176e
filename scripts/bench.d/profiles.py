"""Where the time of a measurement goes: samples of perf, by part of the program.

    scripts/bench --profile [--save FOLDER]

For each measurement whose target is hard to reach: the shares of the program, libc, the kernel and the library's own
parts, and the functions that take the most. Needs perf, and the right to see the kernel's part.
"""

import collections
import os
import re
import shutil
import subprocess
import tempfile

import database
from running import PROGRAMS, ROOT, SCRIPTS, Failed, end, read_line
from servers import Pair, enough_files

RATE = 4000
FUNCTIONS = 8
LEAST_SHARE = 1.0
LIBRARY = "greenpatch"

# The first that begins so names the part of a function of the library; compiled into another one, it counts as that.
PARTS = [("gp_", "entry and exit"), ("dispatch", "dispatch"), ("calls", "calls"), ("futex_queue", "futex queues"),
         ("hub", "hub and switch"), ("switch", "hub and switch"), ("ready_queue", "hub and switch"), ("slice", "hub and switch"),
         ("green_thread", "hub and switch"), ("reactor", "reactor"), ("fd_table", "reactor"), ("timers", "timers"),
         ("signals", "signals"), ("stack_pool", "memory"), ("alloc", "memory"), ("dlmalloc", "memory"), ("sites", "redirecting")]


def command(name, *arguments):
    return [os.path.join(PROGRAMS, name), *map(str, arguments)]


def record(bench, data, target, timeout=120):
    """Samples `target`, arguments of perf: a process or a command."""
    process = subprocess.run(["perf", "record", "-q", "-F", str(RATE), "-e", "cpu-clock", "-o", data, *target],
                             stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
    if process.returncode != 0 or not os.path.exists(data):
        raise Failed(f"perf record: {process.stderr.strip()}")


def environment_words(bench):
    env = bench.environment("green")
    return ["env", *(f"{name}={value}" for name, value in env.items() if name.startswith(("GREENPATCH", "LD_", "TEST_")))]


def of_command(bench, data, words, repeat=1):
    words = ["taskset", "-c", str(bench.core), *environment_words(bench), *words]
    if repeat > 1:
        words = ["sh", "-c", f'for i in $(seq {repeat}); do "$@" >/dev/null || exit 1; done', "sh", *words]
    record(bench, data, ["--", *words])


def of_server(bench, data, connections):
    """While its load runs, with all connections open before."""
    with Pair(bench, "green", "echo", connections) as pair:
        pair.run(300)
        milliseconds = 2500 * bench.scale
        perf = subprocess.Popen(["perf", "record", "-q", "-F", str(RATE), "-e", "cpu-clock", "-o", data, "-p", str(pair.server.pid),
                                 "--", "sleep", str(milliseconds / 1000)], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        pair.run(milliseconds)
        perf.wait(60)


def of_queries(bench, data):
    with database.server(bench) as where:
        words = [database.PYTHON, os.path.join(SCRIPTS, "queries.py"), "mysqldb", str(database.THREADS), str(2.5 * bench.scale)]
        of_command(bench, data, ["env", *(f"{name}={value}" for name, value in where.items()), *words])


def micro(name):
    return lambda bench, data: of_command(bench, data, command("micro", name, int(1500 * bench.scale)))


PROFILES = [
    ("semaphore round trip", "micro", micro("semaphore")),
    ("condition variable round trip", "micro", micro("condition")),
    ("sched_yield to another thread", "micro", micro("yield")),
    ("create + join", "micro", micro("create_join")),
    ("pwrite + pread, a file, with another green thread", "micro", micro("file_calls_others")),
    ("a program's first thread, from its start to its end", "micro",
     lambda bench, data: of_command(bench, data, command("micro", "first_thread"), 1 if bench.checking else 50)),
    ("echo, 50 connections", "server_threads", lambda bench, data: of_server(bench, data, 50)),
    ("echo, 1,000 connections", "server_threads", lambda bench, data: of_server(bench, data, 1000)),
    ("MySQLdb, 50 threads", "python3", of_queries),
]


def part_of(module, function, program):
    """The part of the process that a sample lies in, and a name for its function."""
    if module.startswith("[kernel") or module == "[guest.kernel.kallsyms]":
        return "kernel", function
    if LIBRARY in module:
        inside = re.sub(r"^<*(?:impl )?&*", "", function)
        inside = re.sub(r"^greenpatch(?:_runtime)?::", "", inside)
        for beginning, part in PARTS:
            if inside.startswith(beginning):
                return part, function
        return "the library's rest", function
    if module in ("[JIT]", "//anon", "[unknown]") or module.startswith(("[JIT]", "perf-")):
        return "stubs and moved instructions", "stubs"
    if module == "[vdso]":
        return "kernel", function
    if module.startswith("ld-"):
        return "dynamic linker", function
    if module.startswith(("libc.", "libc-", "libpthread")):
        return "libc", function
    return "the program", function


def shares(data, program):
    """Shares by part, and by part and function, in percent."""
    said = subprocess.run(["perf", "report", "-i", data, "--stdio", "--no-children", "--comm", program, "--sort", "dso,symbol", "-t", "~"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    parts, functions, total = collections.Counter(), collections.Counter(), 0.0
    for line in said.stdout.splitlines():
        cells = [cell.strip() for cell in line.split("~")]
        if line.startswith("#") or len(cells) < 3 or not cells[0].endswith("%"):
            continue
        share = float(cells[0].rstrip("%"))
        function = re.sub(r"^\[[.kguH]\]\s+", "", cells[2])
        part, function = part_of(cells[1], function, program)
        parts[part] += share
        functions[part, function] += share
        total += share
    if not total:
        raise Failed(f"perf report has no samples of {program}: {said.stderr.strip()}")
    return [Shares({key: value * 100 / total for key, value in counter.items()}) for counter in (parts, functions)]


class Shares(dict):
    def largest(self, count):
        """Those that count, the largest first."""
        ordered = sorted(self.items(), key=lambda item: -item[1])
        return [(key, share) for key, share in ordered[:count] if share >= LEAST_SHARE]


def readable(function):
    function = re.sub(r"greenpatch(?:_runtime)?::", "", function)
    function = re.sub(r"<impl ([^>]*)>::", "", function)
    function = re.sub(r"^0x[0-9a-f]+$", "?", function)
    return function if len(function) <= 60 else function[:57] + "…"


def section(title, parts, functions):
    lines = [f"## {title}", "", "| part | of the CPU time | of that, the most in |", "|---|--:|---|"]
    for part, share in parts.largest(12):
        mine = Shares({function: value for (of, function), value in functions.items() if of == part})
        named = [(function, value) for function, value in mine.largest(FUNCTIONS) if function != "stubs"]
        lines.append(f"| {part} | {share:.0f}% | " + ", ".join(f"`{readable(function)}` {value:.0f}%" for function, value in named[:4]) + " |")
    return lines + [""]


def write(bench, about, folder):
    """Samples everything; the text goes to `folder`, or to the terminal."""
    if not shutil.which("perf"):
        raise Failed("perf is not installed")
    lines = ["# Where the time goes", "", "Written by `scripts/bench --profile`: shares of a process's CPU time, sampled with perf. A function "
             "that the compiler has put into another one counts as that.", ""]
    lines += [f"- {name}: {about[name]}" for name in ("processor", "kernel", "glibc", "greenpatch", "date")] + [""]
    for title, program, sample in PROFILES:
        if program == "python3" and (bench.checking or not database.has("MySQLdb")):
            continue
        if "1,000" in title and not enough_files(bench, 1000):
            continue
        bench.progress(f"profile: {title}")
        with tempfile.TemporaryDirectory() as scratch:
            data = os.path.join(scratch, "perf.data")
            sample(bench, data)
            lines += section(title, *shares(data, program))
    bench.progress("")
    text = "\n".join(lines).rstrip() + "\n"
    if folder:
        with open(os.path.join(folder, "profiles.md"), "w") as file:
            file.write(text)
        print(f"saved in {folder}")
    else:
        print(text)
