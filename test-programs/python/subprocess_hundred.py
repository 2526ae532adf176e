"""A hundred threads each run a child of their own, with pipes both ways, at the same time."""
import subprocess
from _check import *

COUNT = 100


def talk(i):
    # More than a pipe holds, so that writing and reading must go side by side.
    text = b"%d\n" % i * 40000
    done = subprocess.run(["tr", "0-9", "a-j"], input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    check_eq((done.returncode, done.stderr), (0, b""))
    check(done.stdout == text.translate(bytes.maketrans(b"0123456789", b"abcdefghij")), "what came back")


run_all(COUNT, talk)
check_helpers_end()
