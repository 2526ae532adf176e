"""A driver does in this setting what it does natively: results, and the errors of connections that fail (_matrix.py has the cases)."""

import json
import os
import subprocess
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(FOLDER))
sys.path[:0] = [os.path.join(ROOT, "test-programs", "python")]
from _check import check, check_eq, skip

CASES = {"concurrent", "values", "prepared", "tls", "big", "refused", "killed", "timed_out", "many_connections"}


def run_cases(driver, mode, env):
    """What comes of each case, and on how many kernel threads the queries ran."""
    env = dict(env, PYTHONPATH=os.path.join(ROOT, "shim", "python"))
    done = subprocess.run([sys.executable, os.path.join(FOLDER, "_matrix.py"), driver, mode], env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True, timeout=100)
    check_eq(done.returncode, 0, f"status of {driver}, {mode}: {done.stdout}")
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    results = {answer["case"]: answer["result"] for answer in said}
    check_eq(set(results), CASES, "the cases")
    return results, next(answer["kernel_threads"] for answer in said if answer["case"] == "concurrent")


def run(driver, module, server, *wrong_ways):
    """`wrong_ways`: the cases that must end with an error of the driver's; they don't succeed by accident."""
    if f"TEST_{server}_PORT" not in os.environ or "TEST_TLS_CA" not in os.environ:
        skip("needs servers: scripts/servers run …")
    try:
        __import__(module)
    except ImportError as error:
        skip(str(error))
    plain = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD" and not name.startswith(("GREENPATCH", "TEST_G"))}
    natively, threads = run_cases(driver, "threads", plain)
    for case, result in natively.items():
        check("FAILED" not in str(result), f"natively: {case}: {result}")
    for case in wrong_ways:
        check(module in str(natively[case]), f"natively: {case}: {natively[case]}")
    check(threads > 100, f"natively there are {threads} kernel threads")
    if "TEST_GREEN" in os.environ:
        mode = "threads"
    elif "TEST_GUEST" in os.environ:
        # eventlet, and the other drivers, are tried by scripts/drivers.
        mode = "gevent-guest"
        try:
            import gevent
        except ImportError as error:
            skip(str(error))
    else:
        mode = None
    if mode:
        here, threads = run_cases(driver, mode, os.environ)
        for case in CASES:
            check_eq(here[case], natively[case], case)
        # gevent has a few of its own.
        check(threads == 1 if mode == "threads" else threads < 30, f"{threads} kernel threads")
    print("ok")
