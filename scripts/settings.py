"""The ways in which the test programs are run: names of settings, and the environment that each stands for."""

import os

SETTINGS = {
    "native": None,
    "all": {},
    # Arms at load, with one parked green thread: programs without threads come to our calls too.
    "arm-start": {"GREENPATCH_ARM": "start"},
    # Loaded, but threads are the kernel's: everything must be passed on.
    "no-thread": {"GREENPATCH_MODULES": "all,-thread"},
    # Threads are the kernel's; those that have registered a hub of their own wait by it.
    "guest": {"GREENPATCH_GUEST": "1"},
    # The older kernels' ways.
    "no-features": {"GREENPATCH_NO": "rwf_nowait,madv_guard,futex_waitv,epoll_pwait2,fsgsbase"},
    # The longer form of the programs that have one.
    "full": {"GP_FULL": "1"},
}


def default_library():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    target = os.environ.get("CARGO_TARGET_DIR") or os.path.join(root, "target")
    return os.environ.get("LIBRARY", os.path.join(target, "release", "libgreenpatch.so"))


def environment(setting, library, base=None):
    """The environment of a program; an empty `library` runs everything natively, for trying the tests themselves."""
    env = {name: value for name, value in (os.environ if base is None else base).items()
           if name not in ("LD_PRELOAD", "TEST_GREEN", "TEST_GUEST", "GP_FULL") and not name.startswith("GREENPATCH")}
    # Compiled files next to the sources would differ between a first and a second run.
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    if SETTINGS[setting] is None:
        return env
    env.update(SETTINGS[setting])
    if library:
        env["LD_PRELOAD"] = library
        if setting not in ("no-thread", "guest"):
            # Python programs assert that they run on one kernel thread. That they ask the library would let them pass
            # when it has not been loaded.
            env["TEST_GREEN"] = "1"
        if setting == "guest":
            env["TEST_GUEST"] = "1"
    return env


def problem_with(library):
    """Why `library` can't be preloaded, or None. ld.so itself only prints a line and goes on without it."""
    if not library:
        return None
    if not os.path.isfile(library):
        return f"{library} does not exist: cargo build --release"
    if " " in library or ":" in library:
        return f"{library}: a preloaded library's path can have no blank and no colon"
    return None
