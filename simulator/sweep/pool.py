"""The runs of a sweep on this machine, as many at a time as the cores allow.

A thread for each slot takes runs from one queue and reports on them to the main thread, which alone
draws on the terminal and receives signals. The first signal stops all runs at their next
checkpoint, and the second ends them. A later call resumes from what is there, whatever happened.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from heterode.base.cores import usable_cores
from heterode.base.errors import InputError
from heterode.base.signals import Noted
from heterode.sweep.folder import Ended, SweepFolder
from heterode.sweep.slots import DiedError, RanksSlot, Slot, WorkerSlot, command_of
from heterode.sweep.worker import Task

if TYPE_CHECKING:
    from heterode.progress.board import Board
    from heterode.sweep.plan import PlannedRun, SweepPlan

_LOOK_S = 0.1

Event = tuple[str, str, Ended | str]
"""("begin", id, label), ("line", id, text), ("end", id, Ended), or a slot's ("leave", "", "")."""


def slots_for(ranks: int, jobs: int | None) -> int:
    """Return how many runs may go on at a time.

    Args:
        ranks: number of ranks of each run.
        jobs: the number of simultaneous runs wanted; None for as many as the cores allow.

    Raises:
        InputError: a run has more ranks than there are cores.
    """
    cores = usable_cores()
    if ranks > cores:
        raise InputError(
            f"ranks = {ranks}, but this process may use {cores} core{'s' if cores > 1 else ''} "
            f"(allowed: 1 to {cores}). Lower ranks in the sweep file or with --ranks"
        )
    most = cores // ranks
    if jobs is not None and not 1 <= jobs <= most:
        raise InputError(
            f"--jobs {jobs} with {ranks} rank{'s' if ranks > 1 else ''} a run does not fit on "
            f"{cores} cores (allowed: 1 to {most}). Leave --jobs out to use all"
        )
    return most if jobs is None else jobs


def tasks_of(plan: SweepPlan, folder: SweepFolder, *, retry: bool) -> list[Task]:
    """Return the runs that are left to do, including failed ones if `retry`."""
    tasks = (task_of(run, plan, folder, retry=retry) for run in plan.unique())
    return [task for task in tasks if task is not None]


def task_of(run: PlannedRun, plan: SweepPlan, folder: SweepFolder, *, retry: bool) -> Task | None:
    """Return what is left to do of a run: all of it, only its numbers, or nothing (None)."""
    ended = folder.ended(run.id)
    if ended is None:
        return Task(run)
    if ended.status == "failed":
        return Task(run, again=True) if retry else None
    return None if ended.asked == plan.file.measure.asked else Task(run)


class Pool:
    """Runs tasks on slots.

    Args:
        folder: the sweep's folder.
        slots: at least one slot.
        board: shows the progress.
        meanwhile: called in a thread when a slot has no run left while others may still go on.
    """

    def __init__(
        self,
        folder: SweepFolder,
        slots: Sequence[Slot],
        board: Board,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder, self._slots, self._board = folder, tuple(slots), board
        self._meanwhile = meanwhile
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
        self._stopping = threading.Event()

    def run(self, tasks: Sequence[Task]) -> int:
        """Do all tasks, and return the signal that stopped them, or 0."""
        for task in tasks:
            self._tasks.put(task)
        threads = [threading.Thread(target=self._serve, args=(slot,)) for slot in self._slots]
        with Noted() as noted:
            for thread in threads:
                thread.start()
            try:
                self._watch(noted)
            except BaseException:
                # A second interrupt ends the runs where they are; they can be resumed from their
                # checkpoints.
                self._stopping.set()
                for slot in self._slots:
                    slot.kill()
                raise
            finally:
                for thread in threads:
                    thread.join()
                self._board.close()
        return noted.number

    def _watch(self, noted: Noted) -> None:
        serving = len(self._slots)
        while serving:
            with suppress(queue.Empty):
                event = self._events.get(timeout=_LOOK_S)
                if event[0] == "leave":
                    serving -= 1
                else:
                    self._show(event)
            self._board.draw()
            if noted.number and not self._stopping.is_set():
                self._stopping.set()
                self._board.say(
                    "stopping: each run writes a checkpoint first. The same command goes on later"
                )
                for slot in self._slots:
                    slot.stop()

    def _show(self, event: Event) -> None:
        kind, name, what = event
        if isinstance(what, Ended):
            self._board.end(name, what.status, what.reason)
        elif kind == "begin":
            self._board.begin(name, what)
        else:
            self._board.line(name, what)

    def _serve(self, slot: Slot) -> None:
        """Do the remaining tasks one after another; runs in a thread of its own."""
        try:
            with suppress(queue.Empty):
                while not self._stopping.is_set():
                    task = self._tasks.get_nowait()
                    name = task.run.id
                    self._events.put(("begin", name, task.run.label))
                    self._events.put(("end", name, self._ended(slot, task)))
            slot.close()
        finally:
            self._events.put(("leave", "", ""))
        self._meanwhile()

    def _ended(self, slot: Slot, task: Task) -> Ended:
        name = task.run.id
        try:
            return slot.run(task, lambda line: self._events.put(("line", name, line)))
        except DiedError as error:
            if self._stopping.is_set():
                return Ended("stopped", str(error))
            ended = Ended("failed", str(error))
            self._folder.end(name, ended)
            return ended
        except Exception as error:
            # The folder cannot be written, or no process can be started.
            return Ended("failed", " ".join(f"{type(error).__name__}: {error}".split()))


def local_slots(folder: SweepFolder, ranks: int, jobs: int | None) -> list[Slot]:
    """Return the slots of this machine for runs with `ranks` ranks each; see `slots_for`."""
    count = slots_for(ranks, jobs)
    if ranks > 1:
        return [RanksSlot(folder, command_of(folder.path, ranks)) for _ in range(count)]
    return [WorkerSlot(folder) for _ in range(count)]
