"""What XLA is asked to do on the CPU: loops over a few numbers become one function each.

XLA calls every operation of a loop's body by itself, which takes ten times as long as the operation where it is about a few
numbers: in the trajectories of a sampler, say. It compiles loops that touch up to 1 KB in one piece, so that nothing is
called; here it does with larger ones, which it also compiles sooner.
"""

import os

_OPTION = "xla_cpu_small_while_loop_byte_threshold"
_BYTES = 1_000_000


def compile_small_loops_whole() -> None:
    """Sets XLA's option, unless the user has set options of its kind; XLA reads them before it first compiles."""
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_backend_extra_options" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_backend_extra_options={_OPTION}={_BYTES}".strip()
