"""A made-up run, shaped like a real one, for tests of what comes after the solver.

Discs in a slab, a triangulation that follows them, and a charge and discharge in which every
particle is a capacity behind a resistor of its own: dx_i/dt = -g_i (V - U(x_i)), with V from the
applied current. Spread, lag and the open-circuit curve then look like the real thing at no cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.spatial import Delaunay

from heterode.results import FieldGrid, FieldValues, ResultsFolder, Sample, SampleFiles

COATING_UM = 46.0
SEPARATOR_UM = 15.0
WIDTH_UM = 60.0


@dataclass(frozen=True)
class Discs:
    """The particles: centres (N, 2) and radii (N,) in um, penalty (N,)."""

    centres: np.ndarray
    radii: np.ndarray
    penalty: np.ndarray

    def __len__(self) -> int:
        return len(self.radii)

    def write_csv(self, path: Path) -> None:
        """particles.csv with the columns of a ParticleTable."""
        rows = ["particle,x_um,y_um,z_um,radius_um,volume_um3,surface_um2,penalty"]
        for i, ((x, y), r, p) in enumerate(
            zip(self.centres, self.radii, self.penalty, strict=True)
        ):
            area, rim = np.pi * r**2, 2 * np.pi * r
            rows.append(f"{i},{x:.6f},{y:.6f},0.0,{r:.6f},{area:.6f},{rim:.6f},{p:.6f}")
        path.write_text("\n".join(rows) + "\n")


@dataclass(frozen=True)
class SyntheticRun:
    """Particles, grids and (sample, fields) pairs."""

    discs: Discs
    grids: tuple[FieldGrid, ...]
    samples: tuple[tuple[Sample, FieldValues], ...]


@cache
def synthetic_run(samples: int = 40, seed: int = 1, spacing_um: float = 0.9) -> SyntheticRun:
    """About 60 discs through a charge (`samples` steps) and a discharge (as many)."""
    rng = np.random.default_rng(seed)
    discs = _discs(rng)
    grids, nodes = _grids(discs, spacing_um)
    return SyntheticRun(discs, grids, tuple(_march(discs, grids, nodes, samples)))


def write_run(path: Path, run: SyntheticRun, *, fields_every: int = 1) -> ResultsFolder:
    """The results folder of a completed run."""
    folder = ResultsFolder.create(path)
    manifest = folder.start_manifest(particles=len(run.discs), seeds={"packing": 1, "penalty": 1})
    folder.write_particles(run.discs)
    with SampleFiles(folder, len(run.discs), run.grids) as recorder:
        for sample, fields in run.samples:
            last = sample is run.samples[-1][0]
            wanted = sample.accepted % fields_every == 0 or last
            recorder.record(sample, fields if wanted else None)
    manifest.seal("whole", recorder.list_finished())
    manifest.finish("completed", "end of the protocol", steps=len(run.samples))
    return folder


def _discs(rng: np.random.Generator) -> Discs:
    drawn = np.clip(rng.lognormal(np.log(2.2), 0.38, 600), 0.7, 5.0)
    enough = np.searchsorted(np.cumsum(np.pi * drawn**2), 0.55 * COATING_UM * WIDTH_UM)
    centres, kept = [], []
    for radius in np.sort(drawn[:enough])[::-1]:
        for _ in range(400):
            trial = rng.uniform([radius, radius], [COATING_UM - radius, WIDTH_UM - radius])
            gaps = [np.hypot(*(trial - c)) - radius - r for c, r in zip(centres, kept, strict=True)]
            if min(gaps, default=1.0) > 0.15:
                centres.append(trial)
                kept.append(radius)
                break
    penalty = np.clip(rng.weibull(1.2, len(kept)) * 0.5, 0.02, 1.0)
    return Discs(np.array(centres), np.array(kept), penalty)


def _grids(discs: Discs, spacing: float) -> tuple[tuple[FieldGrid, ...], dict[str, np.ndarray]]:
    points = [_background(discs, spacing)]
    for centre, radius in zip(discs.centres, discs.radii, strict=True):
        rings = max(2, round(radius / spacing))
        points.append(centre[None])
        for ring in radius * np.arange(1, rings + 1) / rings:
            count = max(12, round(2 * np.pi * ring / spacing))
            angle = 2 * np.pi * np.arange(count) / count
            points.append(centre + ring * np.column_stack([np.cos(angle), np.sin(angle)]))
    cloud = np.vstack(points)
    cells = Delaunay(cloud).simplices
    middle = cloud[cells].mean(axis=1)
    offset = np.linalg.norm(middle[:, None] - discs.centres, axis=2) - discs.radii
    owner = np.where(offset.min(axis=1) < 0, offset.argmin(axis=1), -1)
    chosen = {
        "particles": owner >= 0,
        "electrolyte": owner < 0,
        "carbon": (owner < 0) & (middle[:, 0] < COATING_UM),
    }
    grids, nodes = [], {}
    for name, mask in chosen.items():
        nodes[name], local = np.unique(cells[mask], return_inverse=True)
        local = local.reshape(-1, 3)
        data = {}
        if name == "particles":
            # Every particle owns its points, as on the submesh of the solver.
            data = {"particle": owner[mask], "penalty": discs.penalty[owner[mask]]}
        grids.append(FieldGrid(name, cloud[nodes[name]], local, data))
    return tuple(grids), nodes


def _background(discs: Discs, spacing: float) -> np.ndarray:
    total = COATING_UM + SEPARATOR_UM
    x = np.linspace(0, total, round(total / spacing) + 1)
    x[np.abs(x - COATING_UM).argmin()] = COATING_UM
    y = np.linspace(0, WIDTH_UM, round(WIDTH_UM / spacing) + 1)
    grid = np.column_stack([a.ravel() for a in np.meshgrid(x, y)])
    offset = np.linalg.norm(grid[:, None] - discs.centres, axis=2) - discs.radii
    return grid[offset.min(axis=1) > 0.4 * spacing]


_POTENTIAL = np.linspace(2.5, 5.0, 4001)
_FRACTION = sum(
    share / (1 + np.exp((_POTENTIAL - centre) / (width * 0.0257)))
    for share, centre, width in [
        (0.134, 3.623, 0.97),
        (0.325, 3.726, 1.40),
        (0.211, 3.906, 3.51),
        (0.330, 4.230, 5.53),
    ]
)


def open_circuit_potential(x: np.ndarray) -> np.ndarray:
    """V; the shape of a layered oxide's curve."""
    return np.interp(-x, -_FRACTION, _POTENTIAL)


def _march(discs, grids, nodes, count):
    volume = np.pi * discs.radii**2
    share = volume / volume.sum()
    conductance = 4e-3 * discs.penalty / discs.radii  # 1/(V s)
    x = np.full(len(discs), 0.95)
    rate, inner = 0.66 / 36_000.0, 400
    time = charge = 0.0
    accepted = 0
    for step, sign in enumerate((1.0, -1.0)):
        start = time
        # Denser at the beginning of a step, as an adaptive integrator has it.
        ends = start + 36_000.0 * np.linspace(0, 1, count + 1)[1:] ** 1.3
        if accepted == 0:
            yield _sample(discs, grids, x, 0 * x, 0.0, 0.0, 0.0, step, 0, share)
            accepted = 1
        for end in ends:
            dt = (end - time) / inner
            for _ in range(inner):
                weight = share * conductance
                voltage = (sign * rate + weight @ open_circuit_potential(x)) / weight.sum()
                flow = conductance * (voltage - open_circuit_potential(x))
                x = np.clip(x - dt * flow, 0.02, 0.995)
                charge += sign * rate * dt
            time = end
            yield _sample(discs, grids, x, flow, time, voltage, charge, step, accepted, share)
            accepted += 1
            if (sign > 0 and voltage > 4.5) or (sign < 0 and voltage < 3.0):
                break


def _sample(discs, grids, x, flow, time, voltage, charge, step, accepted, share):
    mean = float(share @ x)
    lag = 4e2 * flow * discs.radii
    voltage = voltage or float(share @ open_circuit_potential(x))
    sample = Sample(
        time_s=time,
        voltage_V=float(voltage),
        current_A_m2=0.0 if accepted == 0 else (1.2 if step == 0 else -1.2),
        capacity_Ah_m2=18.0 * charge,
        lithium_fraction_mean=mean,
        lithium_fraction_sd=float(np.sqrt(share @ (x - mean) ** 2)),
        cycle=0,
        step=step,
        accepted=accepted,
        lithium_fraction=x.copy(),
        surface_lithium_fraction=x - lag,
        particle_current_A_m2=flow * discs.radii * 1e2,
    )
    return sample, _fields(discs, grids, x, lag, sample.current_A_m2)


def _fields(discs, grids, x, lag, current):
    particles, electrolyte, carbon = grids
    owner = np.zeros(len(particles.points_um), dtype=int)
    owner[particles.cells] = particles.cell_data["particle"][:, None]
    away = np.linalg.norm(particles.points_um - discs.centres[owner], axis=1) / discs.radii[owner]
    depth = electrolyte.points_um[:, 0] / (COATING_UM + SEPARATOR_UM)
    return {
        "particles": {"lithium_fraction": np.clip(x[owner] - lag[owner] * (2 * away**2 - 1), 0, 1)},
        "electrolyte": {
            "concentration": 1000.0 + 60.0 * current * (depth - 0.5),
            "potential": -0.02 * current * depth,
        },
        "carbon": {"potential": -1e-3 * current * carbon.points_um[:, 0] / COATING_UM},
    }
