"""The Python package's own: where it finds the library, and how `python -m greenpatch` starts a program with it."""
import os
import subprocess
import sys
import tempfile

sys.path[:0] = [os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "python")]
from _check import *

PACKAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "shim", "python")
LIBRARY = os.environ.get("LIBRARY", "")
if not LIBRARY:
    skip("needs the library's path in LIBRARY")
plain = {name: value for name, value in os.environ.items()
         if name not in ("LD_PRELOAD", "TEST_GREEN", "TEST_GUEST") and not name.startswith("GREENPATCH")}


def run(*arguments, status=0, **variables):
    env = dict(plain, PYTHONPATH=PACKAGE, GREENPATCH_LIBRARY=LIBRARY, **variables)
    done = subprocess.run([sys.executable, *arguments], env=env, capture_output=True, text=True, timeout=60)
    check_eq(done.returncode, status, f"status of {arguments}: {done.stdout}{done.stderr}")
    return done.stdout if status == 0 else done.stderr


folder = tempfile.mkdtemp(dir=os.environ.get("TMPDIR"))
app = os.path.join(folder, "app.py")
with open(app, "w") as file:
    file.write("""
import os, sys, threading, greenpatch
other = threading.Event()
threading.Thread(target=other.wait).start()
tasks = len(os.listdir("/proc/self/task"))
other.set()
print(__name__, sys.argv[1:], tasks, greenpatch.is_loaded(), greenpatch.version() == greenpatch.__version__,
      greenpatch.is_patched("socket"), greenpatch.is_patched("time"), sorted(n for n in os.environ if n.startswith("GREENPATCH")))
""")

# Green threads, with the arguments that it was given; nothing of ours is left in the program's arguments.
check_eq(run("-m", "greenpatch", app, "-x", "--guest"), "__main__ ['-x', '--guest'] 1 True True True True ['GREENPATCH_LIBRARY']\n")
check_eq(run("-m", "greenpatch", "--modules", "all,-time", app), "__main__ [] 1 True True True False ['GREENPATCH_LIBRARY', 'GREENPATCH_MODULES']\n")
check_eq(run("-m", "greenpatch", "--modules=all,-time", app), "__main__ [] 1 True True True False ['GREENPATCH_LIBRARY', 'GREENPATCH_MODULES']\n")
# A guest's threads are kernel threads, and without a callback nothing yields.
check_eq(run("-m", "greenpatch", "--guest", app), "__main__ [] 2 True True False False ['GREENPATCH_GUEST', 'GREENPATCH_LIBRARY']\n")
# As a module, as code, and with the interpreter's own options.
check_eq(run("-m", "greenpatch", "-c", "import sys, greenpatch; print(greenpatch.is_loaded(), sys.argv)", "a"), "True ['-c', 'a']\n")
check_eq(run("-O", "-m", "greenpatch", "-c", "print(__debug__)"), "False\n")
check_eq(run("-m", "greenpatch", "-m", "json.tool", "--help").split()[0], "usage:")
check_eq(run("-m", "greenpatch", "-c", "raise SystemExit(5)", status=5), "")
# A library that was preloaded already stays.
check_eq(run("-m", "greenpatch", "-c", "import os; print(os.environ['LD_PRELOAD'])", LD_PRELOAD=LIBRARY), LIBRARY + "\n")

# Without it, and wrong use.
check_eq(run("-m", "greenpatch", "--print"), os.path.abspath(LIBRARY) + "\n")
check_eq(run(app), "__main__ [] 2 False False False False ['GREENPATCH_LIBRARY']\n")
check("python -m greenpatch" in run("-c", "import greenpatch; greenpatch.register(lambda *_: 0)", status=1), "how to start is not said")
for wrong in (), ("--nonsense", app), ("--modules",):
    check("--help" in run("-m", "greenpatch", *wrong, status=1) or wrong == ("--modules",), f"{wrong}")
check("does not exist" in run("-m", "greenpatch", "--library", "/nonexistent", app, status=1), "a library that does not exist")
check("GREENPATCH_MODULES" in run("-m", "greenpatch", "--modules", "nonsense", app, status=78), "a wrong module")
check_eq(run("-m", "greenpatch", "-c", """
import greenpatch
try:
    greenpatch.is_patched("nonsense")
except ValueError as error:
    print(error)
"""), "greenpatch has no module 'nonsense'\n")
# Threads that are green already: no other hub.
check("--guest" in run("-m", "greenpatch", "-c", """
import threading, greenpatch
threading.Thread(target=print).start()
greenpatch.register(lambda *_: 0)
""", status=1), "two hubs")

# A hub of the program's own: the callback is asked with what is waited for, and its answers are obeyed.
check_eq(run("-m", "greenpatch", "--guest", "-c", """
import ctypes, greenpatch, os, select, time
libc = ctypes.CDLL(None, use_errno=True)
r, w = os.pipe()
asked = []

def wait(fd, events, timeout):
    asked.append((fd == r, events, timeout))
    if len(asked) == 1:
        os.write(w, b"x")
        return greenpatch.READY
    if len(asked) == 2:
        return greenpatch.GIVE_UP
    raise KeyError("mine")

greenpatch.register(wait)
buffer = ctypes.create_string_buffer(10)
print(libc.read(r, buffer, 10), asked)
print(libc.read(r, buffer, 10), os.strerror(ctypes.get_errno()))
try:
    libc.read(r, buffer, 10)
    print("came back")
except KeyError as error:
    print(repr(error))
greenpatch.register(lambda *_: greenpatch.PASS)
begin = time.monotonic()
libc.usleep(50000)
print(time.monotonic() - begin >= 0.05)
greenpatch.unregister()
libc.usleep(1000)
print(len(asked))
"""), "1 [(True, 1, None)]\n-1 Operation canceled\nKeyError('mine')\nTrue\n3\n")

# Another library than the package was made for: which two they are. It says so before anything of the library is used.
def with_library(source, *lines):
    path = os.path.join(folder, "libgreenpatch.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", path, "-xc", "-"], input=source, text=True, check=True, timeout=60)
    return run("-c", "\n".join(lines), status=1, LD_PRELOAD=path).splitlines()[-1]


register = "import greenpatch", "greenpatch.register(lambda *_: 0)"
said = with_library('const char *greenpatch_version(void) { return "0.0.9"; } int greenpatch_guest() { __builtin_trap(); }', *register)
check(all(word in said for word in (folder, "0.0.9", "0.1.0", "pip install")) and said.startswith("greenpatch.NotLoadedError"), said)
said = with_library('const char *greenpatch_version(void) { return "0.1.7"; }', *register)
check("0.1.7" in said, said)
said = with_library('const char *greenpatch_version(void) { return "0.1.7"; } int greenpatch_guest() { return 0; }', *register, "raise SystemExit('taken')")
check_eq(said, "taken")
# One that can't be loaded at all.
said = run("-c", "\n".join(register), status=1, LD_PRELOAD="/nonexistent/libgreenpatch.so")
check("ld.so" in said and "LD_PRELOAD names /nonexistent/libgreenpatch.so" in said.splitlines()[-1], said)
print("ok")
