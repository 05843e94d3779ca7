"""Run by pvbatch: what each of ParaView's XDMF readers finds in files, as JSON.

    pvbatch paraview_look.py FILE...

Where FILE.later lies beside a file, it takes the file's place after the first look, as a run does
that goes on; then the reader is told to look again, and "later" holds the times it has then.
"""

import json
import os
import sys

from paraview import servermanager, simple

READERS = {
    "legacy": lambda path: simple.XDMFReader(FileNames=[path]),
    "xdmf3 S": lambda path: simple.Xdmf3ReaderS(FileName=[path]),
    "xdmf3 T": lambda path: simple.Xdmf3ReaderT(FileName=[path]),
}


def arrays(source):
    """Name -> [least, largest] of each array at the source's present time."""
    found = {}
    for name, data in (("points", source.PointData), ("cells", source.CellData)):
        for k in range(data.GetNumberOfArrays()):
            array = data.GetArray(k)
            found[name + "/" + array.GetName()] = list(array.GetRange(0))
    return found


def blocks(source):
    """Number of leaves: 1 for a single grid."""
    data = servermanager.Fetch(source)
    return data.GetNumberOfBlocks() if hasattr(data, "GetNumberOfBlocks") else 1


def look(make, path):
    source = make(path)
    source.UpdatePipelineInformation()
    times = list(source.TimestepValues)
    seen = []
    for time in (times[0], times[-1]):
        source.UpdatePipeline(time)
        information = source.GetDataInformation()
        seen.append({"cells": information.GetNumberOfCells(), "arrays": arrays(source)})
    answer = {"times": times, "blocks": blocks(source), "seen": seen}
    later = path + ".later"
    if os.path.exists(later):
        with open(path, "rb") as file:
            before = file.read()
        with open(later, "rb") as file, open(path + ".partial", "wb") as new:
            new.write(file.read())
        os.replace(path + ".partial", path)
        simple.ReloadFiles(source)
        source.UpdatePipelineInformation()
        answer["later"] = list(source.TimestepValues)
        source.UpdatePipeline(answer["later"][-1])
        answer["later_arrays"] = arrays(source)
        with open(path, "wb") as file:
            file.write(before)
    simple.Delete(source)
    return answer


def main(paths):
    answers = {
        name: {os.path.basename(path): look(make, path) for path in paths}
        for name, make in READERS.items()
    }
    print("ANSWER " + json.dumps(answers))


main(sys.argv[1:])
