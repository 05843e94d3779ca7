"""Estimators of the heterogeneity of a value over particles, whatever their source.

Given positions and values (MarkedPoints), `analyse` returns four views:

A. density map        where the value is high or low
B. correlogram        how similar particles are at a distance, compared with random marks
C. cluster curve      mean and spread of the value over clusters of neighbours, by their size
D. the same against the number of particles in a cluster

and, from C, the scale of heterogeneity L*, always together with its null distribution, the fitted
correlation length and the size of the field.
"""

from heterode.heterogeneity.analysis import Heterogeneity, Settings, analyse
from heterode.heterogeneity.clusters import ClusterCurve, cluster_curve
from heterode.heterogeneity.correlogram import BinnedStatistic, Correlogram, correlogram
from heterode.heterogeneity.density import DensityMap, density_map
from heterode.heterogeneity.marks import MarkedPoints
from heterode.heterogeneity.partitions import Partitions
from heterode.heterogeneity.scale import Scale, scale_of_heterogeneity
from heterode.heterogeneity.variogram import VariogramFit, fit_variogram

__all__ = [
    "BinnedStatistic",
    "ClusterCurve",
    "Correlogram",
    "DensityMap",
    "Heterogeneity",
    "MarkedPoints",
    "Partitions",
    "Scale",
    "Settings",
    "VariogramFit",
    "analyse",
    "cluster_curve",
    "correlogram",
    "density_map",
    "fit_variogram",
    "scale_of_heterogeneity",
]
