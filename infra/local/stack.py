"""Runs MiniStack as the local stack: corrected towards AWS, and never outliving who started it.

Started by `curfew-cli` in a process group of its own with a pipe as standard input; everything else
comes in MiniStack's own environment variables. When the pipe closes, the starter is gone, however it
went: the whole group is killed, and with it the function processes MiniStack started.
"""

import os
import signal
import sys
import threading

import aws_corrections

TICK_SECONDS = 1


def _die_with_the_starter():
    while sys.stdin.buffer.read(1):
        pass
    os.killpg(os.getpgid(0), signal.SIGKILL)


def main():
    """Corrects MiniStack, then runs it until the starter goes away."""
    if os.getpgid(0) != os.getpid():
        raise SystemExit("stack.py must lead its own process group: start it through `cargo local` or `cargo demo`")
    threading.Thread(target=_die_with_the_starter, daemon=True, name="starter-watch").start()
    aws_corrections.apply(TICK_SECONDS)
    from ministack.app import main as ministack

    sys.argv = ["ministack"]
    ministack()


if __name__ == "__main__":
    main()
