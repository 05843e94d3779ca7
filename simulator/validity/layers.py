"""What the layers under the particles' surfaces change in the warnings before a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from heterode.accuracy.plan import Plan
from heterode.base.run_warnings import RunWarning

RESOLVED = "coarse_elements"
"""Warning about a profile that is thinner than an element, which it is not in layers."""


def planned_warnings(plan: Plan) -> Iterator[RunWarning]:
    """Yield a warning if layers do not reach the accuracy; without any, the user asked for none."""
    if plan.is_met or (plan.layers is None and not plan.chosen):
        return
    yield RunWarning(
        "space_accuracy",
        f"the mesh may change the voltage by {1e3 * plan.bound:.2g} mV: {plan.shortfall_text}",
        value=1e3 * plan.bound,
        unit="mV",
        allowed=(None, 500.0 * plan.accuracy),
        key="solver.accuracy" if plan.chosen else "solver.layers",
    )


def without_what_layers_resolve(found: Sequence[RunWarning], plan: Plan) -> list[RunWarning]:
    """Return warnings without those that do not hold with a plan's layers."""
    return [w for w in found if w.code != RESOLVED or plan.layers is None]
