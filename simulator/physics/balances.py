r"""The table of balances: all fields, their domains, and the currents through their surfaces.

    field   storage       flux                  boundary factor of
                                                interface  double layer  lithium  collector
    s       F c_max s     F J                       1           .           .         .
    y       F eps_l c_0 y F N_l - t_ref i_l       t_ref-1     t_ref-1     1-t_ref     .
    phi_l   .             i_l                      -1          -1           1         .
    phi_s   .             i_s                       1           1           .         1

A row is the balance of one field (equations (7)-(17), given in `heterode.physics`): for every
test function v of its domain

    integral of d/dt storage v - flux . grad v dx
        + sum over surfaces of factor * (integral of i v dA) = 0

where i is the current density through the surface, A m^-2 (`heterode.physics.kinetics`). The table
is the only place that names fields. The vector of unknowns, function spaces, norms, tolerances, the
preconditioner, files, conservation and the estimate of sizes read it. Stored fields come first, so
that they are one slice of the vector; the block Gauss-Seidel preconditioner uses the same order. In
addition to the fields there are two scalars, the cell voltage V and the cell current I.

Commands that solve nothing read this table too, so UFL and the laws are only loaded when the first
form is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from heterode.physics.weak_form import Context, Domain, Weak

if TYPE_CHECKING:
    from heterode.parameters import Parameters
    from heterode.physics.active_material import ActivePhase
    from heterode.physics.kinetics import SurfaceCurrent

Floats = npt.NDArray[np.float64]

LOWEST_SALT = 1e-3
"""Relative salt concentration below which the electrolyte counts as depleted."""


@dataclass(frozen=True)
class Site:
    """The properties of a surface on which its law may depend.

    Attributes:
        material: active material of the particles.
        penalty: (points,) factor at each quadrature point of a reacting surface.
        area: area of the surface, m^2 (m in 2D).
    """

    material: ActivePhase
    penalty: Floats
    area: float


Law = Callable[[Site], "SurfaceCurrent | None"]
"""Returns the law of a surface's current, or None if the parameters let no current flow."""


@dataclass(frozen=True)
class Surface:
    """A surface through which a current flows.

    Attributes:
        name: name in the results of a solve.
        kind: whether it is a reaction of particles or a terminal of the cell.
        phase: the active material of a reaction; "" for a terminal.
        facets: name of its facets in the mesh: "interface", "lithium" or "collector".
        sides: domains that meet there, starting with the one from which the facets are seen.
        law: makes the law of the current.
        carried: ratio of the charge through it, in the direction of i, to the cell's charge.
        of_rates: whether the current follows from the rates of change of fields and V, as that of
            a double layer does.
    """

    name: str
    kind: Literal["reaction", "terminal"]
    phase: str
    facets: Literal["interface", "lithium", "collector"]
    sides: tuple[Domain, ...]
    law: Law
    carried: float = 1.0
    of_rates: bool = False


def _insertion(site: Site) -> SurfaceCurrent:
    return site.material.insertion(site.penalty)


def _double_layer(site: Site) -> SurfaceCurrent | None:
    return site.material.double_layer


def _lithium_metal(site: Site) -> SurfaceCurrent:
    from heterode.physics.terminals import lithium_metal

    return lithium_metal(site.material.parameters)


def _collector(site: Site) -> SurfaceCurrent:
    from heterode.physics.terminals import collector

    return collector(site.material.parameters, site.area)


BETWEEN: tuple[Domain, ...] = ("particles", "electrolyte", "carbon")
INTERFACE = Surface("interface", "reaction", "active_material", "interface", BETWEEN, _insertion)
"""Insertion; i is positive when lithium leaves the particle."""

LITHIUM = Surface("lithium", "terminal", "", "lithium", ("electrolyte",), _lithium_metal)
"""The lithium metal; i is positive when lithium is deposited."""

COLLECTOR = Surface("collector", "terminal", "", "collector", ("carbon",), _collector, -1.0)
"""The current collector; i is positive out of the carbon."""

DOUBLE_LAYER = replace(INTERFACE, name="double_layer", law=_double_layer, of_rates=True)
"""Charging of the interface; i has the direction of the insertion current."""

SURFACES = (INTERFACE, LITHIUM, COLLECTOR, DOUBLE_LAYER)

Factor = float | Callable[[float], float]
"""A boundary factor, which is a number or a function of t_ref."""


@dataclass(frozen=True)
class Scalar:
    """A scalar unknown of the whole cell.

    Attributes:
        name: "V" or "I".
        unit: unit of its value.
        surface, field: surface and field of its equation if that is not the terminals' control: I
            flows through that surface out of that field.
    """

    name: str
    unit: str
    surface: Surface | None = None
    field: str = ""


SCALARS = (Scalar("V", "V"), Scalar("I", "A", COLLECTOR, "phi_s"))
"""Cell voltage, determined by g(V, I, t) = 0, and cell current, by h(u, I) = 0 at the collector."""


@dataclass(frozen=True)
class Written:
    """The form in which a field is written to files.

    Attributes:
        name, unit: name and unit in fields/.
        scale: factor from the unknown to the written value.
        plus: name of a scalar that is added, or "".
    """

    name: str
    unit: str
    scale: Callable[[Parameters], float] = lambda p: 1.0
    plus: str = ""


@dataclass(frozen=True)
class Watched:
    """A quantity whose least and largest values are computed after every step.

    Attributes:
        quantity: name of the quantity.
        surface: surface on which it is watched; None for everywhere.
        refused: returns why a solution with these two values is unphysical, or "".
        shown: name of the two values where no solution is found, or "".
    """

    quantity: str
    surface: Surface | None = None
    refused: Callable[[float, float], str] = lambda low, high: ""
    shown: str = ""


Start = float | Callable[[Floats], Floats]
"""A number, or a function of (3, n) points, m, that returns (n,) values."""


@dataclass(frozen=True)
class Balance:
    """A row of the table: one field and its balance.

    Attributes:
        field: the unknown's symbol.
        domain: domain of the field.
        stored: whether it has a storage term; otherwise it follows changes at once.
        boundary: factor of the current through each surface that enters the balance.
        forms: returns its weak form.
        start: its value in a cell at rest.
        tolerance: allowed time error, as a key of [solver] or a number.
        preconditioner: preconditioner of its block: incomplete factors if storage dominates within
            a time step, multigrid if diffusion does.
        conserved: name of the stored quantity in reports on conservation; "" if there is none.
        released: amount of it released per charge that passes the reactions, both as charges; 0 if
            it is conserved.
        written: its form in fields/; None if it is not written.
        watched: quantities of it that are watched after every step.
        restricted: symbol of its restriction to the particles, if forms need one.
    """

    field: str
    domain: Domain
    stored: bool
    forms: Callable[[Context], Weak]
    start: Callable[[Parameters], Start]
    tolerance: str | float
    preconditioner: Literal["incomplete factors", "multigrid"]
    boundary: Mapping[Surface, Factor] = MappingProxyType({})
    conserved: str = ""
    released: float = 0.0
    written: Written | None = None
    watched: tuple[Watched, ...] = ()
    restricted: str = ""

    def __post_init__(self) -> None:
        if self.stored != bool(self.conserved):
            raise ValueError(f"{self.field}: what is stored is to be named, and nothing else")

    def factors(self, t_ref: float) -> dict[Surface, float]:
        """Return the boundary factors for the t_ref that the salt's volume term subtracts."""
        given = self.boundary.items()
        return {surface: f(t_ref) if callable(f) else f for surface, f in given}


@dataclass(frozen=True)
class Table:
    """The balances of a cell, which start with those of stored fields.

    Attributes:
        rows: the balances.
        surfaces: the surfaces through which currents flow.
    """

    rows: tuple[Balance, ...]
    surfaces: tuple[Surface, ...] = SURFACES

    def __post_init__(self) -> None:
        if len(set(self.fields)) != len(self.rows):
            raise ValueError(f"a field has two rows: {self.fields}")
        if [row.stored for row in self.rows] != sorted((r.stored for r in self.rows), reverse=True):
            raise ValueError(f"rows of stored fields come first: {self.fields}")
        for row in self.rows:
            for surface in row.boundary:
                if surface not in self.surfaces or row.domain not in surface.sides:
                    raise ValueError(f"{row.field} does not meet the surface {surface.name}")

    def with_row(self, row: Balance) -> Table:
        """Return the table with one more balance, in its place among stored or other fields."""
        before = [r for r in self.rows if r.stored or not row.stored]
        after = [r for r in self.rows if r not in before]
        return replace(self, rows=(*before, row, *after))

    @property
    def fields(self) -> tuple[str, ...]:
        """Symbols of the fields in the order of the vector."""
        return tuple(row.field for row in self.rows)

    @property
    def stored(self) -> tuple[Balance, ...]:
        """Rows of the stored fields."""
        return tuple(row for row in self.rows if row.stored)

    @property
    def lithium(self) -> Balance:
        """The row of the field that reactions take from the particles."""
        (row,) = (row for row in self.stored if row.released)
        return row

    @property
    def reactions(self) -> tuple[Surface, ...]:
        """Surfaces of the particles' reactions, without the charging of double layers."""
        return tuple(s for s in self.surfaces if s.kind == "reaction" and not s.of_rates)

    def row(self, name: str) -> Balance:
        """Return the row of a field."""
        return next(row for row in self.rows if row.field == name)

    def on(self, domain: Domain) -> tuple[Balance, ...]:
        """Return the rows of the fields on a domain."""
        return tuple(row for row in self.rows if row.domain == domain)

    def watched(self, quantity: str) -> tuple[Balance, Watched]:
        """Return the row of a watched quantity, and its entry."""
        return next((row, w) for row, w in self.all_watched if w.quantity == quantity)

    @property
    def all_watched(self) -> tuple[tuple[Balance, Watched], ...]:
        """Return every watched quantity with its row."""
        return tuple((row, watched) for row in self.rows for watched in row.watched)

    @property
    def units(self) -> dict[str, str]:
        """Units of the written fields, by their names in files."""
        return {row.written.name: row.written.unit for row in self.rows if row.written is not None}


def _lithium(c: Context) -> Weak:
    from heterode.physics.solid import lithium

    return lithium(c)


def _salt(c: Context) -> Weak:
    from heterode.physics.electrolyte import salt

    return salt(c)


def _ionic_charge(c: Context) -> Weak:
    from heterode.physics.electrolyte import ionic_charge

    return ionic_charge(c)


def _electronic_charge(c: Context) -> Weak:
    from heterode.physics.carbon import electronic_charge

    return electronic_charge(c)


def _bad_surface(low: float, high: float) -> str:
    if not (low <= 0.0 or high >= 1.0):
        return ""
    what = "emptied of" if low <= 0.0 else "filled with"
    return f"a particle's surface is {what} lithium (fraction {low:.4f} to {high:.4f})"


def _depleted(low: float, high: float) -> str:
    if not low < LOWEST_SALT:
        return ""
    return f"the electrolyte is depleted of salt (lowest c_l / c_0 = {low:.2e})"


CELL = Table(
    (
        Balance(
            field="s",
            domain="particles",
            stored=True,
            boundary={INTERFACE: 1.0},
            forms=_lithium,
            start=lambda p: p.active_material.initial_lithium_fraction,
            tolerance="fraction_tolerance",
            preconditioner="incomplete factors",
            conserved="lithium",
            released=1.0,
            written=Written("lithium_fraction", "1"),
            watched=(
                Watched("lithium_fraction", shown="lithium fraction {low:.4f} to {high:.4f}"),
                # Only surfaces are refused: inside a particle, elements overshoot for a while ahead
                # of a front that they do not resolve. This affects no kinetics and vanishes as the
                # front widens; fields are handed out without it.
                Watched("surface_lithium_fraction", INTERFACE, refused=_bad_surface),
            ),
        ),
        Balance(
            field="y",
            domain="electrolyte",
            stored=True,
            boundary={
                INTERFACE: lambda t_ref: t_ref - 1.0,
                DOUBLE_LAYER: lambda t_ref: t_ref - 1.0,
                LITHIUM: lambda t_ref: 1.0 - t_ref,
            },
            forms=_salt,
            start=lambda p: 1.0,
            tolerance="concentration_tolerance",
            preconditioner="multigrid",
            conserved="salt",
            written=Written(
                "concentration", "mol m^-3", lambda p: p.electrolyte.initial_concentration
            ),
            watched=(
                Watched("salt_ratio", refused=_depleted, shown="lowest c_l / c_0 = {low:.3g}"),
            ),
        ),
        Balance(
            field="phi_l",
            domain="electrolyte",
            stored=False,
            boundary={INTERFACE: -1.0, DOUBLE_LAYER: -1.0, LITHIUM: 1.0},
            forms=_ionic_charge,
            start=lambda p: 0.0,
            tolerance="voltage_tolerance",
            preconditioner="multigrid",
            written=Written("potential", "V"),
        ),
        Balance(
            field="phi_s",
            domain="carbon",
            stored=False,
            boundary={INTERFACE: 1.0, DOUBLE_LAYER: 1.0, COLLECTOR: 1.0},
            forms=_electronic_charge,
            start=lambda p: 0.0,
            tolerance="voltage_tolerance",
            preconditioner="multigrid",
            written=Written("potential", "V", plus="V"),
            restricted="phi_p",
        ),
    )
)
"""The table of the cell: lithium fraction, relative salt concentration, and two potentials."""
