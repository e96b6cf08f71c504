"""The n-th allocation of a process of weir fails: failmalloc.c, from Python."""

import mmap
import os
import pathlib
import struct
import subprocess
import tempfile

SOURCE = pathlib.Path(__file__).with_suffix(".c")
FIELDS = ("pid", "armed", "from", "count", "calls", "failed", "live")


class FailMalloc:
    """Programs started while it is open are preloaded."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="weir-failmalloc-")
        folder = pathlib.Path(self.folder.name)
        os.chmod(folder, 0o755)
        library = folder / "failmalloc.so"
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", library, SOURCE], check=True)
        control = folder / "control"
        control.write_bytes(b"\0" * 4096)
        with open(control, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 4096)
        self.before = {name: os.environ.get(name) for name in ("LD_PRELOAD", "FAILMALLOC")}
        os.environ.update(LD_PRELOAD=str(library), FAILMALLOC=str(control))
        return self

    def __exit__(self, *_):
        for name, value in self.before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        self.memory.close()
        self.folder.cleanup()

    def __getitem__(self, name):
        return struct.unpack_from("q", self.memory, 8 * FIELDS.index(name))[0]

    def __setitem__(self, name, value):
        struct.pack_into("q", self.memory, 8 * FIELDS.index(name), value)

    def arm(self, pid, first, count=1):
        self["armed"] = 0
        if self["pid"] != pid:
            self["live"] = 0
        self["pid"] = pid
        self["from"], self["count"], self["calls"], self["failed"] = first, count, 0, 0
        self["armed"] = 1

    def disarm(self):
        """How many allocations failed."""
        self["armed"] = 0
        return self["failed"]
