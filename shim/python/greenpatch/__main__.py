"""Runs a Python program with libgreenpatch.so preloaded.

usage: python -m greenpatch [options] app.py [argument...]
       python -m greenpatch [options] -m module [argument...]
       python -m greenpatch [options] -c code [argument...]

options:
  --guest          for a program that imports greenpatch.gevent or greenpatch.eventlet (GREENPATCH_GUEST=1)
  --modules LIST   which calls are cooperative (GREENPATCH_MODULES): all, none, or a list as all,-time
  --library PATH   the library, instead of the one that is found (GREENPATCH_LIBRARY)
  --print          print the path of the library and end
  --help           print this, and end

The interpreter is the present one, with the options that it was given.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Dict, List, NoReturn

from greenpatch._library import NAME, find_library


def _stop(message: str) -> NoReturn:
    sys.exit(f"greenpatch: {message}")


def _interpreter_options() -> List[str]:
    options: List[str] = list(subprocess._args_from_interpreter_flags())  # type: ignore[attr-defined]
    return options


def main(arguments: List[str]) -> None:
    env: Dict[str, str] = dict(os.environ)
    only_print = False
    while arguments and arguments[0].startswith("-") and arguments[0] not in ("-m", "-c"):
        option, _, value = arguments.pop(0).partition("=")
        if option in ("--help", "-h"):
            print((__doc__ or "").strip())
            return
        if option == "--guest":
            env["GREENPATCH_GUEST"] = "1"
        elif option == "--print":
            only_print = True
        elif option in ("--modules", "--library"):
            if not value:
                if not arguments:
                    _stop(f"{option} needs a value")
                value = arguments.pop(0)
            if option == "--library":
                os.environ["GREENPATCH_LIBRARY"] = value
            else:
                env["GREENPATCH_MODULES"] = value
        else:
            _stop(f"unknown option {option}: see python -m greenpatch --help")
    try:
        library = find_library()
    except FileNotFoundError as error:
        _stop(str(error))
    if library is None:
        _stop(f"{NAME} was not found: build it (cargo build --release) and install this package again, or set GREENPATCH_LIBRARY")
    if only_print:
        print(library)
        return
    if not arguments:
        _stop("which program? See python -m greenpatch --help")
    if " " in library or ":" in library:
        _stop(f"{library}: a preloaded library's path can have no blank and no colon")
    others = [path for path in env.get("LD_PRELOAD", "").replace(":", " ").split() if path != library and os.path.basename(path) != NAME]
    env["LD_PRELOAD"] = ":".join([library, *others])
    os.execve(sys.executable, [sys.executable, *_interpreter_options(), *arguments], env)


main(sys.argv[1:])
