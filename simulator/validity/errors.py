"""The bound of an estimated error, for the ledger of a run's warnings."""

from __future__ import annotations

from dataclasses import dataclass

from heterode.accuracy.plan import Plan
from heterode.base.run_warnings import RunWarning
from heterode.parameters import Parameters
from heterode.parameters.layering import MOST_LAYERS

SPACE_ERROR = "space_error"
"""Code of the warning about the error that the mesh makes."""


@dataclass(frozen=True)
class ErrorBound:
    """An estimated error of the voltage, and how large it may be.

    Attributes:
        code: code of the warning.
        high: the accuracy asked for, mV.
        subject: what errs, for the message.
        remedy: what to change, as a sentence.
        key: keys in the input file.
    """

    code: str
    high: float
    subject: str
    remedy: str
    key: str

    def excess(self, value: float) -> float:
        """Return by how much an error, mV, is too large, relative to what is allowed."""
        return max(value / self.high - 1.0, 0.0)

    def message(self, value: float) -> str:
        """Return the message for an error that is too large."""
        return (
            f"{self.subject} is estimated at {value:.3g} mV, above the {self.high:.3g} mV of "
            f"solver.accuracy. {self.remedy}"
        )

    def warning(self, value: float) -> RunWarning:
        """Return the warning for an error that is too large, before its times are known."""
        return RunWarning(
            self.code,
            self.message(value),
            value=value,
            unit="mV",
            allowed=(None, self.high),
            key=self.key,
        )


def space_bound(p: Parameters, plan: Plan | None = None) -> ErrorBound:
    """Return the bound of the error that the mesh makes.

    Args:
        p: the parameters of the run.
        plan: the plan of its layers, by which the remedy is chosen.
    """
    layers = p.solver.layers
    if layers == "none":
        remedy = 'Write solver.layers = "auto", or ask for less'
    elif layers == "auto" and plan is not None and not plan.is_met:
        remedy = f"Layers cannot do much better: ask for {2e3 * plan.bound:.2g} mV"
    elif layers == "auto" and plan is not None and plan.plunge > plan.accuracy:
        remedy = (
            "It was expected where the voltage plunges, as a small shift in time; finer layers "
            "gain little there"
        )
    elif layers == "auto":
        remedy = "Lower solver.accuracy, which makes finer layers, or give their number"
    elif isinstance(layers, int) and layers < MOST_LAYERS:
        remedy = f'Raise solver.layers above {layers}, or write solver.layers = "auto"'
    else:
        # Layers written in full, or as many as there can be.
        remedy = f'Write solver.layers = "auto" in place of {layers}, or ask for less'
    what = "the mesh's error of the voltage"
    return ErrorBound(
        SPACE_ERROR, 1e3 * p.solver.accuracy, what, remedy, "solver.layers, solver.accuracy"
    )
