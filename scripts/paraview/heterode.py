"""A results folder of heterode in ParaView, readily coloured: a macro and a script.

In ParaView, choose Macros > Import new macro and this file. Open any file of RESULTS/fields and
start the macro: it loads the other domains, colours all of them over the whole run, and shows the
time.

    paraview --script=heterode.py           with HETERODE_RESULTS=RESULTS in the environment
    pvbatch heterode.py RESULTS [PICTURE]   a picture half-way, without a window

Particles are coloured by their lithium fraction; a 3D cell is cut open. Electrolyte and carbon are
loaded, coloured by potential, and hidden; a click on the eye shows them.
"""

import os
import sys

from paraview import simple

COLOURS = {
    # domain: (field, colour map, title of the colour bar)
    "particles": (
        "lithium_fraction",
        "Viridis (matplotlib)",
        "lithium fraction (yellow: more lithium)",
    ),
    "electrolyte": ("potential", "Cividis (matplotlib)", "electrolyte potential / V"),
    "carbon": ("potential", "Plasma (matplotlib)", "carbon potential / V"),
}

MOMENTS = 40
"""Number of times of a run that are read to determine the range of the colours."""


def results_folder(arguments):
    """Return the folder named by the arguments, the environment or what is open in ParaView."""
    if arguments:
        return arguments[0]
    if os.environ.get("HETERODE_RESULTS"):
        return os.environ["HETERODE_RESULTS"]
    for source in [simple.GetActiveSource(), *simple.GetSources().values()]:
        for name in ("FileNames", "FileName"):
            files = getattr(source, name, None)
            if files:
                first = str(files if isinstance(files, str) else files[0])
                if os.path.basename(os.path.dirname(first)) == "fields":
                    return os.path.dirname(os.path.dirname(first))
    raise SystemExit("Open a file of RESULTS/fields first, or set HETERODE_RESULTS.")


def load(folder, domain):
    """Return the reader of a domain; None if the folder has no such fields."""
    path = os.path.abspath(os.path.join(folder, "fields", domain + ".xdmf"))
    if not os.path.exists(path):
        return None
    reader = simple.Xdmf3ReaderS(registrationName=domain, FileName=[path])
    reader.UpdatePipelineInformation()
    return reader


def range_over_time(reader, field):
    """Return smallest and largest value of a point field, from at most MOMENTS times of the run."""
    times = list(reader.TimestepValues) or [0.0]
    every = -(-len(times) // MOMENTS)
    ranges = []
    for time in [*times[::every], times[-1]]:
        reader.UpdatePipeline(time)
        ranges.append(reader.PointData.GetArray(field).GetRange(0))
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def colour(source, view, domain, limits):
    """Show a source, coloured between limits."""
    field, colours, title = COLOURS[domain]
    shown = simple.Show(source, view)
    shown.SetRepresentationType("Surface")
    # Each domain has its own range: the potentials of electrolyte and carbon are volts apart.
    shown.UseSeparateColorMap = domain != "particles"
    simple.ColorBy(shown, ("POINTS", field), domain != "particles")
    table = simple.GetColorTransferFunction(field, shown, separate=domain != "particles")
    table.ApplyPreset(colours, True)
    table.RescaleTransferFunction(*limits)
    bar = simple.GetScalarBar(table, view)
    bar.Title, bar.ComponentTitle = title, ""
    shown.SetScalarBarVisibility(view, True)
    return shown


def is_solid(source):
    """Whether the domain has a third dimension."""
    bounds = source.GetDataInformation().GetBounds()
    return bounds[5] - bounds[4] > 1e-9


def cut_open(reader):
    """Return what lies behind the plane half-way across."""
    bounds = reader.GetDataInformation().GetBounds()
    clip = simple.Clip(registrationName="particles, cut open", Input=reader, ClipType="Plane")
    clip.ClipType.Origin = [(bounds[2 * k] + bounds[2 * k + 1]) / 2 for k in range(3)]
    clip.ClipType.Normal = [0.0, 1.0, 0.0]
    clip.Invert = 0
    return clip


def show(folder):
    """Load and colour all domains of a results folder.

    Returns:
        the view.
    """
    view = simple.GetActiveViewOrCreate("RenderView")
    simple.LoadPalette("WhiteBackground")
    readers = {domain: load(folder, domain) for domain in COLOURS}
    if readers["particles"] is None:
        raise SystemExit(folder + " has no fields/particles.xdmf: is it a results folder?")
    scene = simple.GetAnimationScene()
    scene.UpdateAnimationUsingDataTimeSteps()
    # Particles differ most half-way; the last time is a click away.
    times = list(readers["particles"].TimestepValues)
    scene.AnimationTime = times[len(times) // 2]
    for domain in ("electrolyte", "carbon", "particles"):
        reader = readers[domain]
        if reader is None:
            continue
        limits = range_over_time(reader, COLOURS[domain][0])
        reader.UpdatePipeline(scene.AnimationTime)
        if domain != "particles":
            colour(reader, view, domain, limits).SetScalarBarVisibility(view, False)
            simple.Hide(reader, view)
        elif is_solid(reader):
            colour(cut_open(reader), view, domain, limits)
        else:
            colour(reader, view, domain, limits)
    time = simple.AnnotateTimeFilter(registrationName="time", Input=readers["particles"])
    last = max(times)
    length, name = (1.0, "s") if last < 300 else (60.0, "min") if last < 7200 else (3600.0, "h")
    time.Scale = 1.0 / length
    time.Format = "{time:.2f} " + name
    simple.Show(time, view)
    place_camera(view, readers["electrolyte"] or readers["particles"])
    return view


def place_camera(view, cell):
    """Look from the front in 2D, and in 3D at the cut with the collector below."""
    bounds = cell.GetDataInformation().GetBounds()
    centre = [(bounds[2 * k] + bounds[2 * k + 1]) / 2 for k in range(3)]
    solid = is_solid(cell)
    view.OrientationAxesVisibility = 1 if solid else 0
    view.CameraFocalPoint = centre
    if solid:
        view.CameraViewUp = [0.0, 0.0, 1.0]
        view.CameraPosition = [centre[0] + 45.0, centre[1] - 100.0, centre[2] + 50.0]
        simple.ResetCamera(view)
    else:
        width, height = bounds[1] - bounds[0], bounds[3] - bounds[2]
        view.InteractionMode = "2D"
        view.CameraParallelProjection = 1
        view.CameraViewUp = [0.0, 1.0, 0.0]
        view.CameraPosition = [centre[0], centre[1], 10.0 * max(width, height)]
        view.CameraParallelScale = 0.55 * max(height, width * view.ViewSize[1] / view.ViewSize[0])
    simple.Render(view)


def main(arguments):
    """Load what is asked for, and save a picture on request."""
    if len(arguments) > 1:
        simple.GetActiveViewOrCreate("RenderView").ViewSize = [1600, 1000]
    view = show(results_folder(arguments))
    if len(arguments) > 1:
        simple.SaveScreenshot(arguments[1], view, ImageResolution=[1600, 1000])


main(sys.argv[1:])
