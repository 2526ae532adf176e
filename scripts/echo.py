#!/usr/bin/python3
"""The blocking echo server and its blocking clients, a thread per connection in both, as two processes in a setting.

    scripts/echo.py SETTING CONNECTIONS ROUNDS BYTES

Prints what each says of itself, and fails if a byte was lost or, with green threads, a second kernel thread was used.
"""

import os
import resource
import select
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import settings

PROGRAMS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "test-programs", "build", "demo")
TIMEOUT = 150


def fields(line):
    """name=value pairs of a line."""
    return dict(pair.split("=", 1) for pair in line.split() if "=" in pair)


def end(process):
    """Kills what is left of a process that this script started; whoever watches the script prints its stacks first."""
    if process.poll() is None:
        if "TEST_SUPERVISED" in os.environ:
            process.wait()
        process.kill()
        process.wait()


def run(setting, library, connections, rounds, size):
    """What server and client say of themselves, and a list of what is wrong."""
    env = settings.environment(setting, library)
    server = subprocess.Popen([os.path.join(PROGRAMS, "echo_server"), str(connections)], env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True)
    client = None
    try:
        if not select.select([server.stdout], [], [], 20)[0] or not (port := server.stdout.readline().strip()):
            return {}, {}, ["the server did not print its port"]
        begin = time.monotonic()
        client = subprocess.Popen([os.path.join(PROGRAMS, "echo_client"), port, str(connections), str(rounds), str(size)], env=env,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        out = {}
        for name, process in ("client", client), ("server", server):
            try:
                out[name] = process.communicate(timeout=TIMEOUT)[0]
            except subprocess.TimeoutExpired:
                return {}, {}, [f"the {name} is still running after {TIMEOUT} s"]
            if process.returncode != 0:
                return {}, {}, [f"the {name} ended with status {process.returncode}"]
        wall = time.monotonic() - begin
    finally:
        for process in client, server:
            if process:
                end(process)
                process.stdout.close()
    client, server = fields(out["client"]), fields(out["server"])
    server["wall_s"] = f"{wall:.2f}"

    wrong = []
    for name, said in ("server", server), ("client", client):
        if int(said["connections"]) != connections:
            wrong.append(f"the {name} had {said['connections']} connections, not {connections}")
        if int(said["bytes"]) != connections * (1 + rounds * size):
            wrong.append(f"the {name} counts {said['bytes']} bytes, not {connections * (1 + rounds * size)}")
        threads = int(said["kernel_threads"])
        if "TEST_GREEN" in env:
            if threads != 1:
                wrong.append(f"the {name} used {threads} kernel threads, not 1")
        # While the server counts, the first connections may end already: natively there is no exact number.
        elif threads < 2:
            wrong.append(f"the {name} used {threads} kernel thread natively")
    return server, client, wrong


def main():
    if len(sys.argv) != 5 or sys.argv[1] not in settings.SETTINGS:
        sys.exit(__doc__.split("\n\n")[1].strip())
    setting, library = sys.argv[1], settings.default_library()
    problem = None if setting == "native" else settings.problem_with(library)
    if problem:
        sys.exit(problem)
    connections = int(sys.argv[2])
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < connections + 50:
        print(f"skipped: the limit of open files is too low for {connections} connections")
        sys.exit(77)
    server, client, wrong = run(setting, library, connections, int(sys.argv[3]), int(sys.argv[4]))
    for name, said in ("server", server), ("client", client):
        print(name, " ".join(f"{key}={value}" for key, value in said.items()))
    for line in wrong:
        print("wrong:", line)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
