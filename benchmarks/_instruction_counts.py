"""Instructions that a compiled function executes, counted one by one, and what they take of a processor's vector units.

A copy of the process is stepped through the function instruction by instruction (``ptrace``), so that loops count as
often as they run, whatever the compiler has made of them; ``objdump`` says what the instructions are. Counts do not
depend on the load of the machine. This works on Linux with x86-64; elsewhere :func:`available` is false.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from typing import Any

KINDS = ("multiply", "integer multiply", "divide", "other")  # of arithmetic; moves, loads and stores are none of it

_TRACEME, _PEEK, _PEEK_REGISTER, _POKE, _POKE_REGISTER, _CONTINUE, _STEP = 0, 2, 3, 5, 6, 7, 9
_INSTRUCTION_POINTER, _STACK_POINTER = 8 * 16, 8 * 19  # in the registers as ptrace lays them out
_GAP = 4096  # bytes between executed instructions from where on they are disassembled separately


@cache
def available() -> bool:
    """Return whether instructions can be counted on this machine: there is objdump, and a process may be traced."""
    if sys.platform != "linux" or platform.machine() != "x86_64" or shutil.which("objdump") is None:
        return False
    attempt = f"import ctypes, sys; sys.exit(ctypes.CDLL(None).ptrace({_TRACEME}, 0, 0, 0) != 0)"
    return subprocess.run([sys.executable, "-c", attempt], check=False).returncode == 0


def executed(dispatcher: Any, call: Callable[[], Any]) -> Counter[str]:
    """Return how often each instruction runs inside a compiled function while ``call`` calls it once.

    Parameters
    ----------
    dispatcher : numba dispatcher
        With one signature compiled; not parallel.
    call : callable
        Is called once beforehand, in this process, and once in a copy of it.

    Returns
    -------
    Counter
        Keys are instructions as ``objdump`` writes them (AT&T syntax); different places with the same text are one key.
    """
    call()
    (compiled,) = dispatcher.overloads.values()
    entry = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
    visits = _stepped(entry, call)
    text = _disassembled(visits)
    counts: Counter[str] = Counter()
    for address, times in visits.items():
        counts[text[address]] += times
    return counts


def kind(instruction: str) -> str | None:
    """Return the kind of a vector instruction, None if it does not compute with vector registers.

    Examples
    --------
    >>> [kind(i) for i in ("vfmadd213ps %zmm1,%zmm2,%zmm3", "vpmuludq %zmm1,%zmm2,%zmm3", "vmovups %zmm1,(%rax)")]
    ['multiply', 'integer multiply', None]
    """
    name, _, operands = instruction.partition(" ")
    if not name.startswith("v") or not re.search(r"%[xyz]mm", operands):
        return None
    if name.startswith(("vmov", "vbroadcast", "vpbroadcast", "vzero", "vgather", "vpgather")):
        return None
    if re.match(r"vp?xor", name) and len(set(operands.split(","))) == 1:  # a register set to zero, no work
        return None
    if re.match(r"vpmul|vpmadd", name):
        return "integer multiply"
    if re.match(r"vdiv|vsqrt", name):
        return "divide"
    return "multiply" if re.match(r"vmul|vfn?m", name) else "other"


def by_kind(counts: Counter[str]) -> dict[str, int]:
    """Return how many arithmetic instructions on vectors there are of each kind."""
    totals = dict.fromkeys(KINDS, 0)
    for instruction, times in counts.items():
        if (found := kind(instruction)) is not None:
            totals[found] += times
    return totals


def _stepped(entry: int, call: Callable[[], Any]) -> Counter[int]:
    """Return how often each address is executed between the entry of a function and its return, in a forked child."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes, libc.ptrace.restype = [ctypes.c_long] * 4, ctypes.c_long
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(processors)})  # the two processes wait for one another: faster on the same processor
    child = os.fork()
    if child == 0:
        try:
            if libc.ptrace(_TRACEME, 0, 0, 0) == 0:
                os.kill(os.getpid(), signal.SIGSTOP)
                call()
        finally:
            os._exit(0)
    try:
        return _visits(libc.ptrace, child, entry)
    finally:
        os.sched_setaffinity(0, processors)
        with suppress(ProcessLookupError, ChildProcessError):  # it has ended if the function was never entered
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _visits(ptrace: Any, child: int, entry: int) -> Counter[int]:
    if not os.WIFSTOPPED(os.waitpid(child, 0)[1]):
        raise OSError("this machine does not let a process trace its child")
    original = ptrace(_PEEK, child, entry, 0)
    ptrace(_POKE, child, entry, (original & ~0xFF) | 0xCC)  # a breakpoint
    ptrace(_CONTINUE, child, 0, 0)
    if not os.WIFSTOPPED(os.waitpid(child, 0)[1]):
        raise RuntimeError("the compiled function was not called through its entry")
    ptrace(_POKE, child, entry, original)
    ptrace(_POKE_REGISTER, child, _INSTRUCTION_POINTER, entry)
    back = ptrace(_PEEK, child, ptrace(_PEEK_REGISTER, child, _STACK_POINTER, 0), 0)
    visits: Counter[int] = Counter()
    address = entry
    while address != back:
        visits[address] += 1
        ptrace(_STEP, child, 0, 0)
        if not os.WIFSTOPPED(os.waitpid(child, 0)[1]):
            raise RuntimeError("the compiled function ended the process")
        address = ptrace(_PEEK_REGISTER, child, _INSTRUCTION_POINTER, 0)
    return visits


def _disassembled(addresses: Iterable[int]) -> dict[int, str]:
    """Return the instruction at each address of this process."""
    ordered = sorted(addresses)
    regions = [[ordered[0], ordered[0]]]
    for address in ordered[1:]:
        if address - regions[-1][1] > _GAP:
            regions.append([address, address])
        regions[-1][1] = address
    found: dict[int, str] = {}
    for first, last in regions:
        found |= _region(first, ctypes.string_at(first, last - first + 16))
    if missing := [hex(a) for a in ordered if a not in found]:
        raise RuntimeError(f"objdump sees no instruction at {missing[:3]}")
    return found


def _region(first: int, code: bytes) -> dict[int, str]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(code)
        file.flush()
        options = ["-D", "-b", "binary", "-m", "i386:x86-64", "--no-show-raw-insn", f"--adjust-vma={first:#x}"]
        text = subprocess.run(["objdump", *options, file.name], check=True, capture_output=True, text=True).stdout
    lines = re.findall(r"^\s*([0-9a-f]+):\s+(\S.*?)\s*$", text, re.MULTILINE)
    return {int(address, 16): re.sub(r"\s+", " ", instruction) for address, instruction in lines}
