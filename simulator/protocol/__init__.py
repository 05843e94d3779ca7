"""The language of protocols: texts become frozen records, whose steps are run in order.

    charge at C/20 until 4.5 V            charge at 0.5 A/m^2 until 4.5 V or 10 h
    discharge at C/2 until 2.8 V          discharge at 20 W/m^2 until 2.8 V
    charge at C/10 until 1 mAh/cm^2       charge at C/10 until x = 0.5
    hold at 4.5 V until C/100             hold at 4.5 V for 2 h
    hold until C/100, after a step that can only end at a voltage
    rest for 1 h                          follow drive.csv until below 2.8 V
    follow us06.csv with area 0.1 m^2, a cell's current in A, positive on discharge
    gitt: charge at C/20 for 10 min, rest for 1 h, until 4.5 V

A C-rate refers to the capacity of the active material between the ends of the voltage window.
Current, power and capacity are per collector area. Current is positive on charge, and x is the mean
lithium fraction of the particles. The solver marches through the steps.
"""

from heterode.protocol.language import FORMS, parse_item, parse_step, parse_steps, resolved
from heterode.protocol.records import CurrentTable, Cutoff, Group, Item, Kind, Rate, Step, StepError

__all__ = [
    "FORMS",
    "CurrentTable",
    "Cutoff",
    "Group",
    "Item",
    "Kind",
    "Rate",
    "Step",
    "StepError",
    "parse_item",
    "parse_step",
    "parse_steps",
    "resolved",
]
