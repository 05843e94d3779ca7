"""[protocol], [solver], [output] and [seeds]."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_serializer, field_validator

from simulator.parameters.fields import MistakeError, Order, Physical, Section
from simulator.protocol import FORMS, Step, StepError, parse_step

Tolerance = Annotated[float, Physical(at_least=1e-14, up_to=0.1, example="1e-4")]
Duration = Annotated[float, Physical("s", above=0, up_to=1e9, example="10 s")]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


class Protocol(Section):
    """[protocol]: the steps, in order; texts in the file, `Step` records after loading."""

    steps: tuple[Step, ...]

    @field_validator("steps", mode="plain")
    @classmethod
    def _read(cls, value: Any) -> tuple[Step, ...]:
        if isinstance(value, str) or not isinstance(value, list | tuple):
            raise MistakeError(
                "is not a list of steps",
                allowed=FORMS,
                remedy='Write steps = ["charge at C/20 until 4.5 V"].',
            )
        if not value:
            raise MistakeError(
                "is empty: nothing would be run", allowed=FORMS, remedy="Add a step."
            )
        return tuple(_step(index, text) for index, text in enumerate(value))

    @field_serializer("steps")
    def _texts(self, steps: tuple[Step, ...]) -> list[str]:
        return [step.text for step in steps]


def _step(index: int, text: Any) -> Step:
    if isinstance(text, Step):
        return text
    if not isinstance(text, str):
        raise MistakeError("is not a text", allowed=FORMS, key=(f"[{index}]",))
    try:
        return parse_step(text)
    except StepError as error:
        raise MistakeError(
            str(error), allowed=FORMS, remedy="Rewrite the step.", key=(f"[{index}]",)
        ) from error


class Solver(Section):
    """[solver]: tolerances are per time step; all have defaults."""

    linear_solver: Literal["auto", "direct", "fieldsplit"] = "auto"
    degree: Order = 1
    fraction_tolerance: Tolerance = 1e-4
    """Error of the lithium fraction allowed per step."""
    voltage_tolerance: Annotated[
        float, Physical("V", shown="mV", at_least=1e-9, up_to=100, example="0.1 mV")
    ] = 1e-4
    concentration_tolerance: Tolerance = 1e-3
    """Error of c_l / c_l,initial allowed per step."""
    newton_tolerance: Tolerance = 1e-7
    """Error that Newton's method may leave, as a fraction of the tolerances above."""
    newton_iterations: Annotated[int, Field(ge=2, le=200)] = 20
    initial_step: Duration | None = None
    minimum_step: Duration = 1e-3
    maximum_step_fraction: Annotated[float, Physical(above=0, up_to=1, example="0.0125")] = (
        1.0 / 80.0
    )
    """Largest time step, as a fraction of the time a full charge at the step's rate takes."""
    krylov_tolerance: Tolerance = 3e-3
    """Of each linear solve; the nonlinear equations are met to their own tolerance all the same."""
    direct_limit: Annotated[int, Field(ge=0)] = 60_000
    """`auto` solves directly up to this many degrees of freedom."""


class Output(Section):
    """[output]: the folder (None: the command chooses) and how often fields and checkpoints are
    kept."""

    directory: Path | None = None
    fields_every: Annotated[int, Field(ge=1)] = 1
    particles_every: Annotated[int, Field(ge=1)] = 1
    checkpoint_every: Annotated[
        float, Physical("s", shown="min", at_least=0, up_to=1e5, example="10 min")
    ] = 600.0
    """Wall-clock time between checkpoints, s; 0 leaves those at signals and at the ends of protocol
    steps alone."""

    @field_validator("directory", mode="before")
    @classmethod
    def _path(cls, value: Any) -> Any:
        return Path(value) if isinstance(value, str) else value


class Seeds(Section):
    """[seeds]: one per purpose, so that a new packing keeps the penalties' stream and back."""

    packing: Seed = 1
    penalty: Seed = 1
    conditioning: Seed = 1
