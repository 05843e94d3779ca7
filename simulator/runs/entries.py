"""The manifest's entries on the input of a run and the cost of its solution."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from heterode.particles.table import ParticleTable
from heterode.results.clearing import clear
from heterode.results.manifest import Manifest, collect_versions
from heterode.results.sample import FieldGrid
from heterode.results.sample_files import SampleFiles
from heterode.results.trust import altered_warning, earlier_alterations
from heterode.results.written import writing
from heterode.runs.description import record_of
from heterode.runs.resuming import Claim
from heterode.runs.setting import Setting
from heterode.solver.cell import Cell


def given_entries(setting: Setting) -> dict[str, Any]:
    """Return the entries that are known before the first time step."""
    parameters = setting.parameters
    return {
        "title": parameters.title,
        "parameters": parameters.to_si_dict(),
        "parameter_file": str(parameters.source_file),
        "input": parameters.given,
        "described": record_of(parameters, setting.summary),
        "seeds": parameters.seeds.model_dump(),
        "versions": collect_versions(),
        "mesh_hash": setting.mesh.mesh_hash,
        "accuracy": setting.layering.entries,
        "ranks": setting.comm.size,
        "particles": len(setting.particles),
    }


def begin_manifest(claim: Claim, particles: ParticleTable, entries: Mapping[str, Any]) -> Manifest:
    """Return the manifest of a new run, with particles.csv written, or of a resumed one.

    An earlier run's results that are to be replaced exist up to this moment.

    Args:
        claim: the claim to the run's folder.
        particles: the particles with their penalties.
        entries: see `given_entries`.

    Raises:
        OutputError: the folder cannot be written.
    """
    folder, found = claim.folder, claim.found
    if claim.replaces:
        clear(folder)
    if found is None:
        manifest = folder.start_manifest(**entries)
        folder.write_particles(particles)
        begin = {"from_time_s": 0.0, "from_step": 0}
    else:
        manifest = folder.continue_manifest(**entries)
        # This precedes cutting the files back to the checkpoint, because readers rely on the
        # manifest.
        manifest.seal("prefix", found.written.digests)
        if found.altered:
            earlier = earlier_alterations(manifest.content)
            manifest.warn(altered_warning([*earlier, *found.altered]))
        begin = found.checkpoint.header["at"]
    manifest.add_piece(**begin, ranks=entries["ranks"], versions=entries["versions"])
    return manifest


def open_files(
    claim: Claim, particles: ParticleTable, grids: Sequence[FieldGrid], manifest: Manifest
) -> SampleFiles:
    """Open the files of the samples, and record in the manifest what they hold.

    Raises:
        OutputError: the folder cannot be written.
    """
    found = claim.found
    files = SampleFiles(
        claim.folder,
        len(particles),
        grids,
        keep=None if found is None else found.written,
        table=particles,
        accepted=found is not None and bool(found.altered),
    )
    manifest.seal("prefix", files.written.digests)
    return files


def draw_report(folder: Path, *, overwrite: bool) -> str:
    """Draw the figures and the page of a run that ended; failures become warnings on stderr.

    Args:
        folder: the run's folder.
        overwrite: whether the user's own files in report/ are renamed instead of being left in
            place.

    Returns:
        a line that says what there is to see.
    """
    # The module loads pictures and pages, half a second that runs without a report need not spend.
    from heterode.reporting.ended import finish_report

    with writing(overwrite=overwrite or None):
        finished = finish_report(folder)
    for problem in finished.problems:
        print(f"heterode: warning: {problem}", file=sys.stderr, flush=True)
    return finished.finding


def numbers_of(cell: Cell) -> dict[str, Any]:
    """Return the unknowns, steps, iterations and balances so far."""
    model, stepper = cell.model, cell.stepper
    return {
        "dofs": model.layout.total,
        "linear_solver": model.preset,
        "steps": stepper.steps,
        "rejected_steps": stepper.rejected,
        "newton_iterations": model.newton.iterations,
        "unclosed_iterations": model.newton.unclosed,
        "linearisations": model.bordered.linearisations,
        "krylov_iterations": model.linear.iterations,
        "solve_s": dict(model.phases.seconds),
        "balance": cell.balances.as_dict(),
    }
