"""Comparison of several samples: comparison.json, .csv and a figure, beside a report of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from heterode.base.words import spoken
from heterode.heterogeneity.comparison import (
    ComparedDataset,
    agreement,
    comparable,
    comparison_table,
    with_rank_statistics,
)
from heterode.heterogeneity.export import jsonable
from heterode.heterogeneity.same_particles import Pairs, pair_table, paired
from heterode.reporting.heterogeneity import (
    Report,
    report_outputs,
    save_figure,
    write_csv,
    write_report,
)
from heterode.reporting.names import unique_names
from heterode.reporting.request import Request, with_bins
from heterode.reporting.sources import Source
from heterode.results.manifest import PROGRAM, collect_versions, write_json
from heterode.results.written import make_folder
from heterode.viewing.comparison import comparison_figure

_LEVEL = 0.05
"""p up to which a difference is called one."""


def write_comparison(
    sources: Sequence[Source], request: Request, folder: Path
) -> tuple[list[Report], list[Path], list[str]]:
    """Report on each source in a folder of its own below `folder`, then on all of them together.

    Returns:
        the reports, the files of the comparison, and its findings as text.

    Raises:
        InputError: some sources are 2D and others 3D, or one cannot be analysed.
        OutputError: the folder cannot be written.
    """
    names = unique_names([source.name for source in sources])
    comparable([source.fields[0].dimension for source in sources], names)
    # All sources share the bins of the smallest field, since their curves are drawn over each
    # other.
    request = with_bins(request, [field for source in sources for field in source.fields])
    make_folder(folder)
    reports = [
        write_report(source, request, folder / name)
        for source, name in zip(sources, names, strict=True)
    ]
    values = [r.result for r in reports]
    samples = with_rank_statistics(values, names, request.settings, request.seed)
    numbers = agreement(samples)
    # The fields of view of one sample have no particles in common.
    single = [sample for sample in samples if len(sample.values.fields) == 1]
    own = [sample.name for sample in single], [sample.values.fields[0] for sample in single]
    common = paired(*own)
    entries = {
        "program": PROGRAM,
        "versions": collect_versions(),
        "seed": request.seed,
        "options": asdict(request),
        "samples": [
            {
                "name": name,
                "source": dict(source.about),
                "particles": source.particles,
                "scale_by_ranks": asdict(sample.ranks.scale),
                "scale_by_values": asdict(sample.values.scale),
            }
            for name, source, sample in zip(names, sources, samples, strict=True)
        ],
        "pairs": numbers,
        "same_particles": [
            {
                "samples": list(names),
                "particles": len(pairs.first),
                "spearman": pairs.spearman,
                "kendall": pairs.kendall,
                "rms_difference": pairs.rms_difference,
                "noise": jsonable(asdict(pairs.noise)),
            }
            for names, pairs in common.items()
        ],
    }
    write_json(folder / "comparison.json", entries)
    files = [folder / "comparison.json"]
    files.append(write_csv(folder / "comparison.csv", comparison_table(samples)))
    if common:
        table = pair_table(common, *own)
        files.append(write_csv(folder / "comparison_particles.csv", table))
    files += save_figure(comparison_figure(samples), folder, "comparison", request)
    return reports, files, [*findings(samples), *shared(common)]


def outputs_of(sources: Sequence[Source], request: Request, folder: Path) -> list[Path]:
    """Return the files that `write_comparison` writes."""
    names = unique_names([source.name for source in sources])
    paths = [path for name in names for path in report_outputs(folder / name, request)]
    own = ("comparison.json", "comparison.csv", "comparison_particles.csv")
    paths += [folder / name for name in own]
    return paths + [folder / f"comparison.{ending}" for ending in request.formats]


def shared(common: dict[tuple[str, str], Pairs]) -> list[str]:
    """Return a line for each pair of samples that hold the same particles."""
    return [
        f"{a} and {b} show the same particles: over {len(pairs.first)} of them the values'"
        f" rank correlation is {pairs.spearman:.2f}, and they differ by"
        f" {spoken(pairs.rms_difference)} (root mean square){_noise(pairs)}"
        for (a, b), pairs in common.items()
    ]


def _noise(pairs: Pairs) -> str:
    """Return in words whether the differences are more than noise."""
    noise = pairs.noise
    text = f"; mean difference {noise.mean:+.2g} (p = {noise.mean_p_value:.2g})"
    if noise.pattern_p_value <= _LEVEL:
        text += f"; differences of neighbours are alike (p = {noise.pattern_p_value:.2g})"
    elif noise.pattern_p_value > _LEVEL:
        text += (
            "; differences cannot be told from randomly exchanged ones"
            f" (p = {noise.pattern_p_value:.2g})"
        )
    if noise.with_error:
        more = "more than" if noise.noise_p_value <= _LEVEL else "no more than"
        text += (
            f"; {more} the stated errors explain: mean square {noise.chi_square:.3g} of them"
            f" (p = {noise.noise_p_value:.2g})"
        )
    return text


def findings(samples: Sequence[ComparedDataset]) -> list[str]:
    """Return the lines for each pair of samples: L* by ranks, by values, and the correlograms."""
    lines = []
    for pair in agreement(samples):
        a, b = pair["samples"]
        gap, equal = pair["spearman_rms_difference"], pair["equal_correlogram"]["p_value"]
        lines.append(
            f"{a} against {b}, by ranks: {scales_text(pair['scale_by_ranks'])}"
            + ("" if gap is None else f"; rank correlations differ by {gap:.2g}")
        )
        line = f"{a} against {b}, by values: {scales_text(pair['scale_by_values'])}"
        if equal is not None:
            differ = "differ" if equal <= _LEVEL else "cannot be told apart"
            line += f"; correlograms {differ} (p = {equal:.2g})"
        lines.append(line)
    return lines


_SIGNS = {"below": "<= ", "ok": "", "above": "> "}


def scales_text(scales: Mapping[str, Any]) -> str:
    """Return in words whether two L* differ."""
    first, second = (
        f"{_SIGNS[flag]}{spoken(scale)}"
        for flag, scale in zip(scales["flag"], scales["scale_um"], strict=True)
    )
    p = scales["p_value"]
    if p is not None:
        differ = "differ" if p <= _LEVEL else "cannot be told apart"
        apart = abs(scales["difference_in_errors"])
        verdict = f"{differ}: {apart:.2g} standard errors, p = {p:.2g}"
    else:
        verdict = "not both converged; their intervals "
        verdict += "are apart" if scales["apart"] else "overlap"
    return f"L* {first} and {second} um ({verdict})"
