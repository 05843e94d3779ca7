"""The cell's equations written for NGSolve: reads one JSON object from stdin, prints one.

    F c_max ds/dt = div(F c_max D_s grad s)                              particles
    F eps c_0 dy/dt = -div J_y,  J_y = -F c_0 D grad y + t+ i_l          electrolyte
    div i_l = 0,  i_l = -kappa (grad phi_l - (2RT/F)(1 - t+) TDF grad ln y)
    div i_s = 0,  i_s = -sigma grad phi_s                                carbon

with i out of every particle, i_Li into the lithium metal, phi_s / R out of the carbon into the
collector, and the collector's current given. Steps of BDF2, the first of order 1. It knows nothing
of heterode but the names of the groups in the mesh file, which meshio reads.
"""

import json
import sys
from collections import defaultdict

import meshio
import netgen.meshing as ng
import ngsolve as ngs
import numpy as np
import scipy.sparse as sp
from ngsolve import ds, dx, exp, grad, log, sin, sqrt
from scipy.sparse.linalg import splu

F, R = 96485.33212331001, 8.31446261815324


# -- mesh -------------------------------------------------------------------------------------


def grouped(mesh, kind):
    """Return the cells of one kind and the name of the group of each."""
    dimension = {"tetra": 3, "triangle": 2}[kind]
    names = {number: name for name, (number, d) in mesh.field_data.items() if d == dimension}
    pairs = zip(mesh.cells, mesh.cell_data["gmsh:physical"], strict=True)
    blocks = [(cells.data, tags) for cells, tags in pairs if cells.type == kind]
    cells = np.concatenate([cells for cells, _ in blocks])
    return cells, [names[int(tag)] for _, tags in blocks for tag in tags]


def netgen_mesh(path):
    """Return tetrahedra by material, and facets by particle, collector and lithium metal."""
    found = meshio.read(path)
    tetrahedra, materials = grouped(found, "tetra")
    triangles, groups = grouped(found, "triangle")
    mesh = ng.Mesh(dim=3)
    points = [mesh.Add(ng.MeshPoint(ng.Pnt(*(1e-6 * p)))) for p in found.points.astype(float)]
    number = {name: k + 1 for k, name in enumerate(sorted(set(materials)))}
    neighbours = defaultdict(list)
    for cell, material in zip(tetrahedra, materials, strict=True):
        for left_out in range(4):
            neighbours[frozenset(np.delete(cell, left_out).tolist())].append(material)
    descriptors = {}
    for facet, group in zip(triangles, groups, strict=True):
        beside = sorted(neighbours[frozenset(facet.tolist())])
        name = boundary(group, beside)
        if name is None:
            continue
        if name not in descriptors:
            ends = [number[material] for material in beside] + [0]
            descriptor = ng.FaceDescriptor(
                surfnr=len(descriptors) + 1, domin=ends[0], domout=ends[1], bc=len(descriptors) + 1
            )
            descriptors[name] = mesh.Add(descriptor)
        mesh.Add(ng.Element2D(descriptors[name], [points[k] for k in facet]))
    for cell, material in zip(tetrahedra, materials, strict=True):
        mesh.Add(ng.Element3D(number[material], [points[k] for k in cell]))
    for name, k in number.items():
        mesh.SetMaterial(k, name)
    for k, name in enumerate(descriptors):
        mesh.SetBCName(k, name)
    return ngs.Mesh(mesh)


def boundary(group, beside):
    """Return the name of a facet, or None if nothing flows through it."""
    if group == "interface":
        return "on_" + next(m for m in beside if m.startswith("particle"))
    wanted = {"collector": ["cbd"], "lithium": ["separator"]}
    return group if wanted.get(group) == beside else None


# -- equations --------------------------------------------------------------------------------


class Cell:
    """Residual and linearisation of the cell.

    Args:
        asked: the question.
    """

    def __init__(self, asked):
        self.asked = asked
        self.mesh = netgen_mesh(asked["mesh"])
        self.alpha, self.V = ngs.Parameter(0.0), ngs.Parameter(0.0)
        spaces = [
            ngs.H1(self.mesh, order=1, definedon=where)
            for where in ("particle.*", "cbd|separator", "cbd|separator", "cbd")
        ]
        self.space = ngs.FESpace(spaces)
        self.u, self.past = ngs.GridFunction(self.space), ngs.GridFunction(self.space)
        self.form, self.to_V, self.to_collector = self._forms()

    def _forms(self):
        a = self.asked
        (s, y, phi_l, phi_s), (v, w, q, r) = self.space.TrialFunction(), self.space.TestFunction()
        past_s, past_y = self.past.components[:2]
        T, c_0, c_max = a["temperature"], a["c_0"], a["c_max"]
        eps = self.mesh.MaterialCF({"cbd": a["binder"], "separator": a["separator"]}, default=1)
        t_plus, tdf, D, kappa = nyman(c_0 * y / 1000)
        D, kappa = eps**1.5 * D, eps**1.5 * kappa
        i_l = -kappa * (grad(phi_l) - 2 * R * T / F * (1 - t_plus) * tdf / y * grad(y))
        sigma = a["carbon_conductivity"] * (1 - a["binder"]) ** 1.5
        J_y = -F * c_0 * D * grad(y) + t_plus * i_l
        liquid, on_particles = dx("cbd|separator"), interface_measure(a)
        form = ngs.BilinearForm(self.space)
        form += F * c_max * (self.alpha * s + past_s) * v * dx("particle.*")
        form += F * c_max * a["diffusivity"] * grad(s) * grad(v) * dx("particle.*")
        form += F * c_0 * eps * (self.alpha * y + past_y) * w * liquid
        form += -(J_y * grad(w)) * liquid
        form += -(i_l * grad(q)) * liquid
        form += sigma * grad(phi_s) * grad(r) * dx("cbd")
        form += self.insertion(s, y, phi_l, phi_s)[0] * (v - w - q + r) * on_particles
        form += self.lithium(y, phi_l) * (w + q) * ds("lithium")
        form += phi_s / a["contact_resistance"] * r * ds("collector")
        to_V = ngs.LinearForm(self.space)
        to_V += self.insertion(*self.u.components)[1] * (v - w - q + r) * on_particles
        to_collector = ngs.LinearForm(self.space)
        to_collector += 1 / a["contact_resistance"] * r * ds("collector")
        return form, to_V, to_collector

    def insertion(self, s, y, phi_l, phi_s):
        """Return i on the particles, A m^-2, and di/dV."""
        a = self.asked
        f = F / (R * a["temperature"])
        pens = {f"on_particle_{k:04d}": pen for k, pen in enumerate(a["penalty"])}
        pen = self.mesh.BoundaryCF(pens, default=0)
        i0 = F * a["rate_constant"] * a["c_max"] * sqrt(s * (1 - s)) * sqrt(a["c_0"] * y / 1000)
        U = 4.3 - 0.7 * s + 0.05 * sin(4 * s)
        eta = phi_s + self.V - phi_l - U
        up, down = exp(0.5 * f * eta), exp(-0.5 * f * eta)
        return pen * i0 * (up - down), pen * i0 * 0.5 * f * (up + down)

    def lithium(self, y, phi_l):
        """Return i_Li, A m^-2."""
        a = self.asked
        f, metal = F / (R * a["temperature"]), a["lithium"]
        i0 = (
            metal["rate_constant"]
            * F
            * metal["concentration"] ** 0.7
            * exp(0.3 * log(a["c_0"] * y))
        )
        return i0 * (exp(0.5 * f * phi_l) - exp(-0.5 * f * phi_l))

    def solve(self, alpha, past, V, tolerance=1e-13):
        """Apply Newton's method to u and V from their present values; return V and iterations."""
        self.alpha.Set(alpha)
        self.past.vec.FV().NumPy()[:] = past
        u = self.u.vec.FV().NumPy()
        residual = self.u.vec.CreateVector()
        self.to_collector.Assemble()
        row = self.to_collector.vec.FV().NumPy().copy()
        for iteration in range(1, 31):
            self.V.Set(V)
            self.form.Apply(self.u.vec, residual)
            self.form.AssembleLinearization(self.u.vec)
            self.to_V.Assemble()
            column = self.to_V.vec.FV().NumPy()
            rows, columns, values = self.form.mat.COO()
            matrix = sp.csr_matrix((values, (rows, columns)), shape=(u.size, u.size))
            du, dV = bordered(
                matrix, column, row, residual.FV().NumPy(), self.asked["current"] + row @ u
            )
            u += du
            V += dV
            if max(np.abs(du).max(), abs(dV)) < tolerance:
                return V, iteration
        raise ArithmeticError(f"Newton's method ended at {np.abs(du).max():.1e}, {dV:.1e} V")


def bordered(matrix, column, row, residual, mismatch):
    """Return du, dV with A du + column dV = -residual and row du = -mismatch; unused rows stay."""
    used = np.flatnonzero(np.asarray(abs(matrix).sum(axis=1)).ravel() > 0)
    inner = matrix[used][:, used]
    # The rows are scaled, because they are volumes times numbers of very different size.
    scale = 1 / np.asarray(abs(inner).max(axis=1).todense()).ravel()
    factors = splu((sp.diags(scale) @ inner).tocsc())
    by_V = factors.solve(scale * column[used])
    by_residual = factors.solve(scale * residual[used])
    dV = (mismatch - row[used] @ by_residual) / (row[used] @ by_V)
    du = np.zeros(matrix.shape[0])
    du[used] = -by_residual - by_V * dV
    return du, float(dV)


def interface_measure(asked):
    """Return ds on all particles, with the requested quadrature."""
    if not asked["interface_points"]:
        return ds("on_particle_.*", bonus_intorder=4)
    points, weights = asked["interface_points"], asked["interface_weights"]
    rule = ngs.IntegrationRule([tuple(p) for p in points], weights)
    return ds("on_particle_.*", intrules={ngs.TRIG: rule})


def nyman(c):
    """Return t+, TDF, D (m^2/s), kappa (S/m) of Nyman et al. (2008); c in mol/l."""
    t_plus = -0.1287 * c**3 + 0.4106 * c**2 - 0.4717 * c + 0.4492
    return (
        t_plus,
        (0.28687 * c**2 + 0.74678 * c + 0.44103) / (1 - t_plus),
        8.794e-11 * c**2 - 3.972e-10 * c + 4.862e-10,
        0.1297 * c**3 - 2.51 * c * sqrt(c) + 3.329 * c,
    )


def main():
    """Read the question, march the time steps and print the answer."""
    asked = json.load(sys.stdin)
    cell = Cell(asked)
    u = cell.u.vec.FV().NumPy()
    for k, value in enumerate((asked["x_0"], 1.0, 0.0, 0.0)):
        cell.u.components[k].vec.FV().NumPy()[:] = value
    V = 4.3 - 0.7 * asked["x_0"] + 0.05 * np.sin(4 * asked["x_0"])
    history, voltage, newton = [u.copy()], [], 0
    for n, h in enumerate(asked["steps"]):
        if n == 0:
            alpha, past = 1 / h, -history[-1] / h
        else:
            ratio = h / asked["steps"][n - 1]
            alpha = (1 + 2 * ratio) / (1 + ratio) / h
            past = (-(1 + ratio) * history[-1] + ratio**2 / (1 + ratio) * history[-2]) / h
        V, iterations = cell.solve(alpha, past, V)
        history.append(u.copy())
        voltage.append(V)
        newton += iterations
    answer = {"voltage": voltage, "newton": newton, "dofs": int(np.count_nonzero(u))}
    print(json.dumps(answer | {"version": ngs.__version__}))


if __name__ == "__main__":
    main()
