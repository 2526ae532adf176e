"""The Python package installed by pip in an environment of its own: it brings the library, and the checkout is not written to."""
import os
import subprocess
import sys
import tempfile

sys.path[:0] = [os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "python")]
from _check import *

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PACKAGE = os.path.join(ROOT, "shim", "python")
LIBRARY = os.environ.get("LIBRARY", "")
if not LIBRARY:
    skip("needs the library's path in LIBRARY")
if "TEST_GUEST" in os.environ:
    print("the same as natively")
    sys.exit(0)
try:
    import setuptools
    import venv
    import wheel
except ImportError as error:
    skip(f"{error}: install python3-venv, python3-setuptools and python3-wheel")
folder = tempfile.mkdtemp(dir=os.environ.get("TMPDIR"))
environment = os.path.join(folder, "environment")
python = os.path.join(environment, "bin", "python")
plain = {name: value for name, value in os.environ.items() if name not in ("LD_PRELOAD", "LIBRARY") and not name.startswith(("GREENPATCH", "PYTHON"))}


def run(*command, status=0, **variables):
    done = subprocess.run(command, env=dict(plain, **variables), cwd=folder, capture_output=True, text=True, timeout=100)
    check_eq(done.returncode, status, f"status of {command}: {done.stdout}{done.stderr}")
    return done.stdout if status == 0 else done.stderr


def left_behind():
    return sorted(os.path.join(where, name) for where, folders, files in os.walk(PACKAGE) for name in folders + files if name != "__pycache__")


before = left_behind()
run(sys.executable, "-m", "venv", "--system-site-packages", environment)
# No network: setuptools, gevent and eventlet are this interpreter's, which may itself be that of an environment.
site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
with open(os.path.join(site, "outside.pth"), "w") as file:
    file.write(os.path.dirname(setuptools.__path__[0]) + "\n")
run(python, "-m", "pip", "install", "--no-index", "--no-build-isolation", "--no-deps", "--quiet", PACKAGE, GREENPATCH_LIBRARY=LIBRARY)
check_eq(left_behind(), before, "what lies in the checkout")
library = run(python, "-m", "greenpatch", "--print").strip()
check(library.startswith(os.path.realpath(environment)), f"the library is {library}")
with open(os.path.join(folder, "app.py"), "w") as file:
    file.write("""
import ctypes, os, sys, threading, time, greenpatch
barrier = threading.Barrier(20)
threads = [threading.Thread(target=lambda: (barrier.wait(), ctypes.CDLL(None).usleep(1000))) for _ in range(20)]
for thread in threads: thread.start()
print(len(os.listdir("/proc/self/task")), greenpatch.is_loaded(), greenpatch.__file__.startswith(sys.prefix))
for thread in threads: thread.join()
""")
check_eq(run(python, "-m", "greenpatch", "app.py"), "1 True True\n")
for hub in "gevent", "eventlet":
    said = run(python, "-c", f"import greenpatch.{hub}", status=1)
    if f"No module named '{hub}'" in said:
        continue
    check("greenpatch.NotLoadedError: " in said and f"LD_PRELOAD={library} GREENPATCH_GUEST=1 python app.py" in said.splitlines()[-1], said)
    # What it says is what helps.
    check_eq(run(python, "-m", "greenpatch", "--guest", "-c", f"import greenpatch.{hub}; print(greenpatch.is_patched('socket'))"), "True\n")
print("ok")
