"""Measures programs with kernel threads and with green threads, in turn.

    scripts/bench [--quick] [--against LIBRARY] [--set NAME=VALUE] [--realtime] [--save FOLDER] [PART...]
    scripts/bench --profile [--save FOLDER]
    scripts/bench --redraw FOLDER

PART: echo, http, syscalls, idle (servers); handover, threads, calls, startup (single operations);
memory, parked, sleepers, receivers (many threads); mysql. Without one: all of them.

  --quick           a shorter form, of the same measurements
  --check           a few rounds only, for the tests: the programs' results count, not their times
  --against PATH    a second library, measured in turn with the first, which is LIBRARY, or the one built here
  --set NAME=VALUE  a setting for the libraries, as GREENPATCH_SLICE=0; may be repeated
  --realtime        everything that is measured runs under SCHED_RR, so that other programs of the machine do not come in
                    between: kernel threads suffer most from those. Needs the right to do so
  --save FOLDER     where results.json, results.tsv, results.md and speed.svg go; test-programs/bench for a full run of
                    all parts, else nowhere
  --profile         where the time goes, sampled with perf: to the terminal, or to profiles.md in FOLDER
  --redraw FOLDER   writes the others again from results.json, without measuring
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import settings
import crowds
import database
import picture
import profiles
import servers
import single
import table
from figures import Figure
from running import ROOT, Bench, Failed

PARTS = {"handover": single.handover, "threads": single.threads, "calls": single.calls, "startup": single.startup,
         "echo": servers.echo, "http": servers.http, "syscalls": servers.syscalls, "idle": servers.idle,
         "memory": crowds.memory, "parked": crowds.parked, "sleepers": crowds.sleepers, "receivers": crowds.receivers,
         "mysql": database.mysql}


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout.splitlines()[0].strip()
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return "unknown"


def machine():
    with open("/proc/cpuinfo") as cpuinfo:
        models = [line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")]
    with open("/proc/meminfo") as meminfo:
        memory = int(meminfo.readline().split()[1]) / 1048576
    with open("/proc/cpuinfo") as cpuinfo:
        virtual = " virtual" if " hypervisor" in cpuinfo.read() else ""
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "unknown") if hasattr(platform, "freedesktop_os_release") else "unknown"
    return {"processor": models[0] if models else "unknown", "cores": f"{len(models)}{virtual}", "memory": f"{memory:.0f} GiB",
            "kernel": platform.release(), "system": system, "glibc": platform.libc_ver()[1],
            "gcc": first_line("gcc", "-dumpfullversion"), "rustc": first_line("rustc", "--version").removeprefix("rustc ").split(" ")[0],
            "greenpatch": first_line("git", "-C", ROOT, "rev-parse", "--short", "HEAD"), "date": time.strftime("%Y-%m-%d")}


def processor_seconds():
    """CPU time of everything on this machine, and of this process with its children."""
    with open("/proc/stat") as stat:
        values = [int(value) for value in stat.readline().split()[1:]]
    busy = sum(values[:3]) + sum(values[5:8])
    return busy / os.sysconf("SC_CLK_TCK"), sum(os.times()[:4])


def save(folder, about, figures):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "results.json"), "w") as file:
        json.dump({"about": about, "figures": [figure.as_dict() for figure in figures]}, file, indent=1, ensure_ascii=False)
        file.write("\n")
    with open(os.path.join(folder, "results.tsv"), "w") as file:
        file.write("part\tname\tunit\tway\tmedian\tsamples\n")
        for figure in figures:
            for way, samples in figure.samples.items():
                file.write(f"{figure.part}\t{figure.name}\t{figure.unit}\t{way}\t{figure.middle(way):.6g}\t{' '.join(f'{s:.6g}' for s in samples)}\n")
    with open(os.path.join(folder, "results.md"), "w") as file:
        file.write("# Speed\n\nWritten by `scripts/bench`; the samples are in `results.json`.\n\n")
        file.write("".join(f"- {name}: {value}\n" for name, value in about.items()))
        file.write("\nk is how many times better than kernel threads: the middle of the rounds, with the least and the most. "
                   "In a round, the ways are measured one after another. The absolute values are this machine's.\n\n")
        file.write(table.markdown(figures) + "\n")
    with open(os.path.join(folder, "speed.svg"), "w") as file:
        file.write(picture.draw(about, figures))


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n", 1)[1].strip(), add_help=True)
    parser.add_argument("--quick", dest="size", action="store_const", const="quick", default="full")
    parser.add_argument("--check", dest="size", action="store_const", const="check")
    parser.add_argument("--against")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--realtime", action="store_true")
    parser.add_argument("--save")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--redraw")
    parser.add_argument("parts", nargs="*", metavar="PART")
    args = parser.parse_args()
    if args.redraw:
        with open(os.path.join(args.redraw, "results.json")) as file:
            saved = json.load(file)
        save(args.redraw, saved["about"], [Figure.from_dict(figure) for figure in saved["figures"]])
        return
    unknown = [part for part in args.parts if part not in PARTS]
    if unknown:
        parser.error(f"no part is named {unknown[0]}: use {', '.join(PARTS)}")
    library = settings.default_library()
    for path in filter(None, (library, args.against)):
        problem = settings.problem_with(path)
        if problem:
            sys.exit(f"bench: {problem}")
    if not library:
        sys.exit("bench: no library to measure")

    bench = Bench(library, args.against, args.size, args.set)
    if args.profile:
        try:
            profiles.write(bench, machine(), args.save)
        except Failed as failure:
            sys.exit(f"bench: {failure}")
        return
    parts = args.parts or [name for name in PARTS if name != "mysql" or not bench.checking]
    about = machine()
    if args.realtime:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        about["scheduling"] = "SCHED_RR, so that other programs did not come in between"
    begin, (all_before, ours_before) = time.monotonic(), processor_seconds()
    figures, failures = [], bench.failures
    took = {}
    for name in parts:
        part_begin = time.monotonic()
        try:
            figures += PARTS[name](bench)
        except Failed as failure:
            failures.append(f"{name}: {failure}")
        took[name] = time.monotonic() - part_begin
        if not sys.stderr.isatty():
            print(f"{name}: {took[name]:.0f} s", file=sys.stderr, flush=True)
    bench.progress("")
    seconds, (all_after, ours_after) = time.monotonic() - begin, processor_seconds()
    foreign = max(0, (all_after - all_before) - (ours_after - ours_before)) / seconds / os.cpu_count()
    about["other programs"] = f"took {foreign:.0%} of the processors meanwhile"

    print(table.terminal(figures))
    for note in bench.notes + failures:
        print(note)
    print(f"{seconds:.0f} s ({', '.join(f'{name} {part:.0f}' for name, part in took.items())}). Other programs {about['other programs']}.")
    complete = not args.parts and bench.size == "full" and not failures
    folder = args.save or (os.path.join(ROOT, "test-programs", "bench") if complete else None)
    if folder:
        save(folder, about, figures)
        print(f"saved in {folder}")
    elif bench.checking:
        with tempfile.TemporaryDirectory() as scratch:
            save(scratch, about, figures)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
