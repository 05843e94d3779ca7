"""What the manifest of a run says of its input, and of what the solve took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from heterode.particles.table import ParticleTable
from heterode.results.manifest import Manifest, collect_versions
from heterode.results.run_files import RunFiles
from heterode.results.sample import FieldGrid
from heterode.results.trust import altered_warning, earlier_alterations
from heterode.runs.description import record_of
from heterode.runs.resuming import Claim
from heterode.runs.setting import Setting
from heterode.solver.cell import Cell


def given_entries(setting: Setting) -> dict[str, Any]:
    """Known before the first time step."""
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
        "ranks": setting.comm.size,
        "particles": len(setting.particles),
    }


def begin_manifest(claim: Claim, particles: ParticleTable, entries: Mapping[str, Any]) -> Manifest:
    """The manifest of a run that begins, with particles.csv, or of one that is gone on with.

    Args:
        claim: the run's folder.
        particles: with their penalties.
        entries: see `given_entries`.

    Raises:
        OutputError: the folder cannot be written.
    """
    folder, found = claim.folder, claim.found
    if found is None:
        manifest = folder.start_manifest(**entries)
        folder.write_particles(particles)
        begin = {"from_time_s": 0.0, "from_step": 0}
    else:
        manifest = folder.continue_manifest(**entries)
        # Before files are cut back to the checkpoint: readers go by it.
        manifest.seal("prefix", found.written.digests)
        if found.altered:
            earlier = earlier_alterations(manifest.content)
            manifest.warn(altered_warning([*earlier, *found.altered]))
        begin = found.checkpoint.header["at"]
    manifest.add_piece(**begin, ranks=entries["ranks"], versions=entries["versions"])
    return manifest


def open_files(
    claim: Claim, particles: ParticleTable, grids: Sequence[FieldGrid], manifest: Manifest
) -> RunFiles:
    """What writes the samples of a run; its manifest knows from now on what the files hold.

    Raises:
        OutputError: the folder cannot be written.
    """
    found = claim.found
    files = RunFiles(
        claim.folder,
        len(particles),
        grids,
        keep=None if found is None else found.written,
        table=particles,
        accepted=found is not None and bool(found.altered),
    )
    manifest.seal("prefix", files.written.digests)
    return files


def numbers_of(cell: Cell) -> dict[str, Any]:
    """Unknowns, steps, iterations and balances so far."""
    model, stepper = cell.model, cell.stepper
    return {
        "dofs": model.layout.total,
        "linear_solver": model.preset,
        "steps": stepper.steps,
        "rejected_steps": stepper.rejected,
        "newton_iterations": model.newton.iterations,
        "linearisations": model.bordered.linearisations,
        "krylov_iterations": model.linear.iterations,
        "solve_s": dict(model.phases.seconds),
        "balance": cell.balances.as_dict(),
    }
