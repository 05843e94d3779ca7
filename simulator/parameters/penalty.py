"""[penalty] and [penalty.conditioning]: the particles' penalty factors, and how they change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import field_validator, model_validator

from heterode.parameters.fields import MistakeError, Physical, Section
from heterode.parameters.notes import Example, Source, When
from heterode.parameters.tables import read_penalty_table


class Conditioning(Section):
    """[penalty.conditioning]: how the factors w of the first cycle change after each cycle.

    relax    w becomes 1 - (1 - w) (1 - fraction), so every penalty shrinks by that fraction
    redraw   new factors of the same distribution, from seeds.conditioning and the cycle's number
    uniform  all particles have one factor from the second cycle on: `value`, or the mean of the
             first factors
    """

    rule: Literal["relax", "redraw", "uniform"]
    """How the factors change after each cycle."""
    fraction: Annotated[
        Annotated[float, Physical(above=0, up_to=1, example="0.5")] | None,
        When("penalty.conditioning.rule", ("relax",), needed=True),
    ] = None
    """Share of each penalty, 1 - w, that is gone after a cycle."""
    value: Annotated[
        Annotated[float, Physical(at_least=1e-12, up_to=1, example="0.4")] | None,
        When("penalty.conditioning.rule", ("uniform",)),
    ] = None
    """The one factor of all particles from the second cycle on; without it, the mean of the
    first factors."""

    @model_validator(mode="after")
    def _complete(self) -> Conditioning:
        if self.rule == "relax" and self.fraction is None:
            raise MistakeError(
                'is missing: rule = "relax" needs it',
                allowed="above 0, up to 1",
                remedy="Add it, like fraction = 0.5.",
                key=("fraction",),
            )
        for key, rule in (("fraction", "relax"), ("value", "uniform")):
            if getattr(self, key) is not None and self.rule != rule:
                raise MistakeError(
                    f'is given, but rule = "{self.rule}" has no use for it',
                    remedy=f'Remove it, or set rule = "{rule}".',
                    key=(key,),
                )
        return self


class Penalty(Section):
    """[penalty]: one factor per particle on its exchange current, fixed for the run unless
    [penalty.conditioning] changes it after each cycle.

    Weibull with `shape` k and `scale` lambda, restricted to [minimum, 1]:
    truncate (inverse of the truncated distribution), clip (values above 1 become 1), rescale (by
    the largest drawn). A table is a CSV with the columns particle, penalty.

    With a `correlation_length`, near particles have similar factors of the same distribution: the
    correlation of two factors falls with the distance h of their centres, to 1/e at that length. A
    Gaussian random field with exp(-h/l) or exp(-(h/l)^2) is mapped to the distribution
    (heterode.distributions.penalty_law).
    """

    distribution: Literal["weibull", "none", "table"]
    """Where the factors come from: drawn from a Weibull distribution, 1 for all particles (`none`),
    or read from a file (`table`)."""
    shape: Annotated[
        Annotated[float, Physical(at_least=0.05, up_to=100, example="1.5")] | None,
        When("penalty.distribution", ("weibull",), needed=True),
    ] = None
    """Shape k of the Weibull distribution of equation (15): the larger, the narrower."""
    scale: Annotated[
        Annotated[float, Physical(at_least=1e-12, up_to=100, example="0.4")] | None,
        When("penalty.distribution", ("weibull",), needed=True),
    ] = None
    """Scale lambda of the Weibull distribution of equation (15): 63 % of the factors lie below it
    before they are restricted to [minimum, 1]."""
    minimum: Annotated[
        float,
        Physical(at_least=1e-12, below=1, example="1e-3"),
        Source("no particle is more than a thousand times slower", "G"),
    ] = 1e-3
    """Least factor that is drawn."""
    restriction: Annotated[
        Literal["truncate", "clip", "rescale"],
        Source("it leaves the shape of the distribution below 1 as it is", "G"),
    ] = "truncate"
    """How factors are kept within [minimum, 1]: drawn from the distribution cut off there
    (`truncate`), with values beyond moved to the ends (`clip`), or divided by the largest that was
    drawn (`rescale`)."""
    file: Annotated[
        Path | None,
        When("penalty.distribution", ("table",), needed=True),
        Example("penalties.csv"),
    ] = None
    """CSV file of the factors, with the columns particle, penalty; relative to the parameter
    file."""
    correlation_length: Annotated[
        float,
        Physical("m", shown="um", at_least=0, up_to=10000, example="20 um"),
        Source("off: each factor is drawn for itself", "G"),
    ] = 0.0
    """Distance at which the correlation of two factors is 1/e, m; with 0 they are independent."""
    correlation: Annotated[
        Literal["exponential", "gaussian"], Source("the usual first choice of variograms", "G")
    ] = "exponential"
    """How the correlation falls with the distance h of two centres: exp(-h/l) or exp(-(h/l)^2)."""
    conditioning: Conditioning | None = None
    """How the factors change after each cycle; without it they are fixed for the run."""

    @field_validator("file", mode="before")
    @classmethod
    def _path(cls, value: Any) -> Any:
        if isinstance(value, str):
            read_penalty_table(Path(value))
            return Path(value)
        return value

    @model_validator(mode="after")
    def _complete(self) -> Penalty:
        needs = {"weibull": ("shape", "scale"), "table": ("file",), "none": ()}
        for key in needs[self.distribution]:
            if getattr(self, key) is None:
                raise MistakeError(
                    f"is missing: a {self.distribution} penalty needs it",
                    remedy='Add it, or set penalty.distribution = "none".',
                    key=(key,),
                )
        return self

    @model_validator(mode="after")
    def _can_be_correlated(self) -> Penalty:
        if self.correlation_length > 0 and self.distribution != "weibull":
            raise MistakeError(
                f"cannot correlate a penalty.distribution of {self.distribution}",
                allowed="0 um here",
                remedy='Remove the key, or set penalty.distribution = "weibull".',
                key=("correlation_length",),
            )
        return self

    @model_validator(mode="after")
    def _can_be_conditioned(self) -> Penalty:
        rule = None if self.conditioning is None else self.conditioning.rule
        if rule is not None and self.distribution == "none":
            problem = 'changes nothing: penalty.distribution = "none" has no penalties'
        elif rule == "redraw" and self.distribution != "weibull":
            problem = f"cannot draw from a penalty.distribution of {self.distribution}"
        else:
            return self
        raise MistakeError(
            problem,
            allowed="relax, uniform with a table; redraw as well with weibull",
            remedy="Change the rule or the distribution, or remove [penalty.conditioning].",
            key=("conditioning", "rule"),
        )
