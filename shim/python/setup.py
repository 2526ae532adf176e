"""Takes the library along where it has been built, so that the installed package finds it next to itself."""

import atexit
import os
import shutil
import tempfile

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.environ.get("CARGO_TARGET_DIR") or os.path.join(HERE, "..", "..", "target")
LIBRARY = os.environ.get("GREENPATCH_LIBRARY") or os.path.join(TARGET, "release", "libgreenpatch.so")


class WithLibrary(build_py):
    def run(self):
        super().run()
        if os.path.exists(LIBRARY) and not getattr(self, "editable_mode", False):
            shutil.copy(LIBRARY, os.path.join(self.build_lib, "greenpatch"))


# The checkout stays as it is: it may be another user's, and what an earlier installation left there would be taken along.
scratch = tempfile.mkdtemp()
atexit.register(shutil.rmtree, scratch, ignore_errors=True)
setup(cmdclass={"build_py": WithLibrary}, options={"build": {"build_base": scratch}, "egg_info": {"egg_base": scratch}})
