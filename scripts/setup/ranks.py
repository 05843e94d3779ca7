"""Run mpirun, and say in heterode's own terms when one of its ranks was killed.

    python3 ranks.py mpirun -n 2 heterode run ...

A rank killed from outside (for want of memory, say) cannot speak for itself, and mpirun ends with
128 + the signal's number. A run on one machine ends with code 3 whatever fails in it: so does this.
"""

import ctypes
import signal
import subprocess
import sys

PASSED_ON = {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1}
FATAL = {signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL}
FATAL |= {signal.SIGFPE}
FAILED = 3
PR_SET_PDEATHSIG = 1
SI_KERNEL = 0x80


def end_with_parent():
    """In the child: it must not outlive this program, and gets its signals as usual."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON | {signal.SIGCHLD})
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(command):
    """Its exit code; signals are passed on to it, but ^C comes to both from the terminal."""
    watched = PASSED_ON | {signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    try:
        child = subprocess.Popen(command, preexec_fn=end_with_parent)
    except OSError as error:
        sys.exit(f"run: error: {command[0]}: {error.strerror}")
    while child.poll() is None:
        came = signal.sigwaitinfo(watched)
        if came.si_signo in PASSED_ON and came.si_code != SI_KERNEL:
            child.send_signal(came.si_signo)
    return child.returncode


def main(command):
    code = run(command)
    # A negative code: mpirun itself was ended by that signal.
    number = -code if code < 0 else code - 128
    if number not in FATAL:
        return code if code >= 0 else 128 - code
    who = "mpirun" if code < 0 else "a rank"
    print(
        f"heterode: failed: {who} was ended by signal {number} ({signal.Signals(number).name}; "
        "SIGKILL often means that memory ran out). The results so far are whole; --resume goes on "
        "from the last checkpoint",
        file=sys.stderr,
    )
    return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
