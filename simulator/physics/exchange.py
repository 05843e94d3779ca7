"""The exchange current of the parameters, with its constant factors.

    scale = size (c_0 / c_l,ref)^aa exp(-(E / R) (1/T - 1/T_ref))

The size is F k_c^aa k_a^ac c_max of equation (13), a prefactor, or 1 if the law has its own size.
The formulas in s and y = c_l / c_0 are those of heterode.materials.exchange_currents.
"""

from __future__ import annotations

from heterode.base.constants import FARADAY
from heterode.materials import arrhenius
from heterode.materials.exchange_currents import EXCHANGE_CURRENTS, ExchangeCurrent
from heterode.parameters.materials import ActiveMaterial


def exchange_law(
    material: ActiveMaterial, *, salt_concentration: float, temperature: float
) -> ExchangeCurrent:
    """Return the exchange current of an active material as a function of s and y.

    Args:
        material: the section [active_material].
        salt_concentration: concentration c_0, at which y = 1, mol m^-3.
        temperature: temperature, K.
    """
    law = EXCHANGE_CURRENTS[material.exchange_current]
    aa, ac = material.anodic_transfer, material.cathodic_transfer
    scale = float((salt_concentration / material.reference_concentration) ** aa)
    scale *= arrhenius(material.rate_constant_activation_energy, temperature)
    if law.needs == "exchange_current_table":
        assert material.exchange_current_table is not None
        table = material.exchange_current_table.function.value_and_slope
        return ExchangeCurrent(law.formula, scale, aa, ac, table)
    if law.needs == "exchange_current_prefactor":
        assert material.exchange_current_prefactor is not None
        scale = material.exchange_current_prefactor * scale
    elif law.needs == "rate_constant":
        k_c, k_a = material.rate_constant_cathodic, material.rate_constant_anodic
        assert k_c is not None
        assert k_a is not None
        scale = float(FARADAY * k_c**aa * k_a**ac * material.maximum_concentration * scale)
    return ExchangeCurrent(law.formula, scale, aa, ac)
