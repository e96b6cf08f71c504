"""gdb commands for programs that run on weir's tasks; live or on a core.

    (gdb) source tools/gdb/weir-gdb.py
    (gdb) weir tasks            every task: worker, name, where it was spawned, what it waits for
    (gdb) weir bt TASK          its stack; TASK is an address of the list, or a name
    (gdb) weir bt               the stacks of all of them

A task that waits is shown by its frame pointers (the library is built with
them); of the one that runs on a worker use gdb's own bt in its thread.
"""
import gdb

SLOT = 68 << 10
COLOURS, COLOUR_BYTES = 16, 64
STATES = {0: "free", 1: "ready", 2: "parked", 3: "shrunk"}
# Where switch_stack() leaves the frame pointer and the return address.
SAVED = {"i386:x86-64": (0, 8), "aarch64": (18 * 8, 19 * 8)}


def word(address):
    return int.from_bytes(gdb.selected_inferior().read_memory(address, 8).tobytes(), "little")


def text(value):
    return value.string() if int(value) else "?"


def top(slot):
    """Where the frames of a slot begin, and a task that lies in it."""
    colour = slot // 4096 % COLOURS
    return slot + SLOT - colour * COLOUR_BYTES - gdb.lookup_type("struct task").sizeof


def tasks():
    """(worker index, struct task, whether it runs) of every task that is alive."""
    runtime = gdb.lookup_global_symbol("runtime_here").value()
    kind = gdb.lookup_type("struct task")
    for index in range(int(runtime["worker_count"])):
        stacks = runtime["workers"][index]["stacks"]
        apart = runtime["workers"][index]["shrink"]["tasks"]
        arena = int(stacks["arena"])
        for slot in range(int(stacks["slot_count"])):
            if int(apart) and int(apart[slot]["state"]):
                task = apart[slot]
            else:
                task = gdb.Value(top(arena + slot * SLOT)).cast(kind.pointer()).dereference()
            if int(task["state"]):
                yield index, task, int(task.address) == int(runtime["workers"][index]["current"])


def line(index, task, runs):
    state = "running" if runs else STATES[int(task["state"])]
    reason = text(task["reason"]) if state in ("parked", "shrunk") else state
    if state == "shrunk":
        reason += " (shrunk)"
    return "%#x  worker %d  %-16s %s:%d  %s" % (
        int(task.address), index, text(task["name"]), text(task["file"]), int(task["line"]), reason)


def frame_text(pc):
    # The call lies before the address it returns to.
    block = gdb.block_for_pc(pc - 1)
    while block is not None and block.function is None:
        block = block.superblock
    name = block.function.name if block is not None else "??"
    place = gdb.find_pc_line(pc - 1)
    where = " at %s:%d" % (place.symtab.filename, place.line) if place.symtab else ""
    return "%#x in %s%s" % (pc, name, where)


def backtrace(task, runs):
    if runs:
        print("    (running: see the thread of its worker)")
        return
    sp = int(task["context"]["sp"])
    slot = int(task["slot"]) or (int(task.address) & ~4095) + 4096 - SLOT
    # A shrunk one's frames are elsewhere.
    moved = int(task["frames"]) - sp if int(task["state"]) == 3 else 0
    at_fp, at_pc = SAVED[gdb.selected_inferior().architecture().name()]
    fp, pc = word(sp + moved + at_fp), word(sp + moved + at_pc)
    for depth in range(64):
        print("    #%-2d %s" % (depth, frame_text(pc)))
        if not slot <= fp < top(slot):
            break
        fp, pc = word(fp + moved), word(fp + moved + 8)
        if not pc:
            break


class Weir(gdb.Command):
    """Tasks of the weir runtime: weir tasks, weir bt [TASK]."""

    def __init__(self):
        super().__init__("weir", gdb.COMMAND_STACK)

    def complete(self, text_, word_):
        return [c for c in ("tasks", "bt") if c.startswith(word_)]

    def invoke(self, argument, from_tty):
        verb, *rest = gdb.string_to_argv(argument) or ["tasks"]
        if verb not in ("tasks", "bt"):
            raise gdb.GdbError("weir tasks | weir bt [TASK]")
        found = 0
        for index, task, runs in tasks():
            if rest and rest[0] not in (hex(int(task.address)), text(task["name"])):
                continue
            found += 1
            print(line(index, task, runs))
            if verb == "bt":
                backtrace(task, runs)
        if rest and not found:
            raise gdb.GdbError("no such task: " + rest[0])


Weir()
