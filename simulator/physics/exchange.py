"""The exchange current of the parameters, with its constant factors.

    scale = size (c_0 / c_l,ref)^aa exp(-(E / R) (1/T - 1/T_ref))

The size is F k_c^aa k_a^ac c_max of equation (13), a prefactor, or 1 if the law has its own size.
The formulas in s and y = c_l / c_0 are those of heterode.materials.exchange_currents.
"""

from __future__ import annotations

from heterode.base.constants import FARADAY
from heterode.materials import arrhenius
from heterode.materials.exchange_currents import ExchangeCurrent, ExchangeLaw
from heterode.parameters.active_material import ActiveMaterial
from heterode.parameters.functions import MaterialFunction


def exchange_law(
    material: ActiveMaterial, *, salt_concentration: float, temperature: float
) -> ExchangeCurrent:
    """Return the exchange current of an active material as a function of s and y.

    Args:
        material: the section [active_material].
        salt_concentration: concentration c_0, at which y = 1, mol m^-3.
        temperature: temperature, K.
    """
    law, given = material.law, material.exchange_current
    aa, ac = material.anodic_transfer, material.cathodic_transfer
    warmth = arrhenius(material.rate_constant_activation_energy, temperature)
    if isinstance(given, MaterialFunction) and given.depends_on_salt:
        function, c_0 = given.at(temperature), salt_concentration
        return ExchangeCurrent(law.formula, warmth, aa, ac, function=function, concentration=c_0)
    salt = aa if material.salt_exponent is None else material.salt_exponent
    scale = float((salt_concentration / material.reference_concentration) ** salt) * warmth
    if isinstance(given, MaterialFunction):
        function = given.at(temperature)
        return ExchangeCurrent(law.formula, scale, aa, ac, salt=salt, function=function)
    if law.needs == "exchange_current_table":
        assert material.exchange_current_table is not None
        table = material.exchange_current_table.interpolation.value_and_slope
        return ExchangeCurrent(law.formula, scale, aa, ac, table, salt)
    if law.needs == "exchange_current_prefactor":
        assert material.exchange_current_prefactor is not None
        scale = material.exchange_current_prefactor * scale
    elif law.needs == "rate_constant":
        return _power_law(material, law, scale, salt)
    return ExchangeCurrent(law.formula, scale, aa, ac, salt=salt)


def _power_law(
    material: ActiveMaterial, law: ExchangeLaw, scale: float, salt: float
) -> ExchangeCurrent:
    """Return equation (13), with exponents of its own where they are given."""
    aa, ac = material.anodic_transfer, material.cathodic_transfer
    vacancy = aa if material.vacancy_exponent is None else material.vacancy_exponent
    occupancy = ac if material.occupancy_exponent is None else material.occupancy_exponent
    k_c, k_a = material.rate_constant_cathodic, material.rate_constant_anodic
    assert k_c is not None
    assert k_a is not None
    if abs(aa + ac - 1.0) > 1e-9:
        # The constants are equal, and have the exponent 1 whatever the coefficients' sum.
        aa, ac = 1.0, 0.0
    size = float(FARADAY * k_c**aa * k_a**ac * material.maximum_concentration * scale)
    return ExchangeCurrent(law.formula, size, vacancy, occupancy, salt=salt)
