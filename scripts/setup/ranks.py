"""Run mpirun, and report in heterode's own words when one of its ranks was killed.

    python3 ranks.py mpirun -n 2 heterode run ...

A rank killed from outside (for lack of memory, for example) cannot report that itself, and mpirun
ends with 128 + the signal's number. A run on one machine ends with code 3 whatever fails in it, and
so does this program. When a signal asks it to end, a run ends with 128 + the signal's number,
whereas mpirun, which kills its ranks half a second after SIGTERM, would return 1.
"""

import ctypes
import signal
import subprocess
import sys

PASSED_ON = {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1}
FATAL = {signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL}
FATAL |= {signal.SIGFPE}
FAILED = 3
OWN_CODES = {0, 2, 3}
PR_SET_PDEATHSIG = 1
SI_KERNEL = 0x80


def end_with_parent():
    """Prepare the child: it must not outlive this program, and it handles signals as usual."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON | {signal.SIGCHLD})
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(command):
    """Run a command; return its exit code and the last signal that asked it to end, or 0.

    Signals are forwarded to it, except ^C, which reaches both from the terminal.
    """
    asked = 0
    watched = PASSED_ON | {signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    try:
        child = subprocess.Popen(command, preexec_fn=end_with_parent)
    except OSError as error:
        sys.exit(f"run: error: {command[0]}: {error.strerror}")
    while child.poll() is None:
        came = signal.sigwaitinfo(watched)
        if came.si_signo in PASSED_ON:
            asked = came.si_signo
            if came.si_code != SI_KERNEL:
                child.send_signal(came.si_signo)
    return child.returncode, asked


def main(command):
    """Run the command and return the exit code; report a killed rank."""
    code, asked = run(command)
    if asked and code not in OWN_CODES:
        return 128 + asked
    # A negative code means that mpirun itself was ended by that signal.
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
