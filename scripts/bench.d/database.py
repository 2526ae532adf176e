"""MySQLdb, a driver in C that blocks in C, in fifty Python threads, against a MariaDB on the other core."""

import contextlib
import os
import subprocess

from figures import Figure, Target, at_least_times, k_at_least
from running import ROOT, SCRIPTS, Failed, end, read_line

THREADS = 50
PYTHON = "/usr/bin/python3"
NAMES = ["TEST_MYSQL_HOST", "TEST_MYSQL_PORT", "TEST_MYSQL_USER"]


def has(module):
    command = [PYTHON, "-c", f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"]
    return subprocess.run(command, env={"PATH": "/usr/bin:/bin"}, timeout=60).returncode == 0


@contextlib.contextmanager
def server(bench):
    """A MariaDB on the load's core, as long as the block runs: where it is, as environment variables."""
    bench.progress("starting MariaDB")
    # Its processes inherit the load's core. It ends when its input does.
    place = subprocess.Popen([os.path.join(ROOT, "scripts", "mariadb"), "run", "sh", "-c", f"echo ${' $'.join(NAMES)}; read line"],
                             env=bench.environment("native"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                             preexec_fn=bench.pinned(bench.load_core))
    try:
        yield dict(zip(NAMES, read_line(place).split()))
    finally:
        place.stdin.close()
        try:
            place.wait(60)
        except subprocess.TimeoutExpired:
            place.terminate()
            place.wait(60)
        end(place)


def mysql(bench):
    if not has("MySQLdb"):
        bench.notes.append("MySQLdb is not installed: no queries")
        return []
    ways = bench.ways(*(["gevent"] if has("gevent") and has("pymysql") else []))
    if "gevent" not in ways:
        bench.notes.append("gevent and PyMySQL are not installed: MySQLdb is not compared with them")
    rate = Figure("mysql", f"MySQLdb, {THREADS} threads: queries per second", "/s", "more",
                  targets=[k_at_least(1.25), at_least_times(2, "gevent")])
    cpu = Figure("mysql", f"MySQLdb, {THREADS} threads: CPU time of the client per query", "ns",
                 targets=Target("0.75 × kernel threads", lambda figure: 1 / figure.middle_ratio("green") <= 0.75))
    with server(bench) as where:
        for number, way in bench.in_turn(ways, min(bench.rounds, 5)):
            bench.progress(f"MySQLdb, {way}, {number + 1}")
            said = bench.run(way, PYTHON, os.path.join(SCRIPTS, "queries.py"), "gevent" if way == "gevent" else "mysqldb",
                             THREADS, max(0.1, 1.2 * bench.scale), **where)
            if bench.is_green(way) and said["kernel_threads"] != 1:
                raise Failed(f"MySQLdb, {way}: {said['kernel_threads']} kernel threads, not 1")
            rate.add(way, said["queries"] / said["wall_s"])
            cpu.add(way, said["cpu_s"] / said["queries"] * 1e9)
    return [rate, cpu]
