"""VASP's vasprun.xml and OUTCAR of a run with LOPTICS, as VASP 6 writes them, for given tensors.

Only what a reader of the dielectric function meets is there: header, atoms, k-points, one ionic
step, and the tensors over energy. Layout and number formats are VASP's own.
"""

# Lines are as long as VASP writes them.
# ruff: noqa: E501

from __future__ import annotations

import numpy as np

_COMPONENTS = ("xx", "yy", "zz", "xy", "yz", "zx")


def vasprun(energy: np.ndarray, imaginary: np.ndarray, real: np.ndarray) -> str:
    """Text of a vasprun.xml.

    Args:
        energy: (N,) eV.
        imaginary, real: (N, 6) xx, yy, zz, xy, yz, zx.
    """
    return f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
 <generator>
  <i name="program" type="string">vasp </i>
  <i name="version" type="string">6.4.2  </i>
  <i name="subversion" type="string">20Jul2023 (build Sep 01 2023 10:00:00) complex           parallel </i>
  <i name="platform" type="string">LinuxIFC </i>
  <i name="date" type="string">2024 03 05 </i>
  <i name="time" type="string">12:00:00 </i>
 </generator>
 <incar>
  <i type="string" name="PREC">accurate</i>
  <i type="string" name="ALGO">Exact</i>
  <i type="int" name="ISMEAR">     0</i>
  <i type="int" name="NBANDS">    24</i>
  <i type="int" name="NEDOS">{len(energy):6d}</i>
  <i type="logical" name="LOPTICS"> T  </i>
  <i name="CSHIFT">      0.10000000</i>
 </incar>
 <structure name="primitive_cell" >
{_structure()}
 </structure>
 <kpoints>
  <generation param="Gamma">
   <v type="int" name="divisions">       1        1        1 </v>
   <v name="usershift">      0.00000000       0.00000000       0.00000000 </v>
   <v name="genvec1">      1.00000000       0.00000000       0.00000000 </v>
   <v name="genvec2">      0.00000000       1.00000000       0.00000000 </v>
   <v name="genvec3">      0.00000000       0.00000000       1.00000000 </v>
   <v name="shift">      0.00000000       0.00000000       0.00000000 </v>
  </generation>
  <varray name="kpointlist" >
   <v>       0.00000000       0.00000000       0.00000000 </v>
  </varray>
  <varray name="weights" >
   <v>       1.00000000 </v>
  </varray>
 </kpoints>
 <parameters>
  <separator name="general" >
   <i type="string" name="SYSTEM">unknown system</i>
   <i type="logical" name="LCOMPAT"> F  </i>
  </separator>
  <separator name="electronic" >
   <i type="int" name="NBANDS">    24</i>
   <i name="NELECT">     16.00000000</i>
   <i type="int" name="NELM">     1</i>
  </separator>
 </parameters>
 <atominfo>
  <atoms>       2 </atoms>
  <types>       2 </types>
  <array name="atoms" >
   <dimension dim="1">ion</dimension>
   <field type="string">element</field>
   <field type="int">atomtype</field>
   <set>
    <rc><c>Co</c><c>   1</c></rc>
    <rc><c>O </c><c>   2</c></rc>
   </set>
  </array>
  <array name="atomtypes" >
   <dimension dim="1">type</dimension>
   <field type="int">atomspertype</field>
   <field type="string">element</field>
   <field>mass</field>
   <field>valence</field>
   <field type="string">pseudopotential</field>
   <set>
    <rc><c>   1</c><c>Co</c><c>     58.93300000</c><c>      9.00000000</c><c>  PAW_PBE Co 02Aug2007                  </c></rc>
    <rc><c>   1</c><c>O </c><c>     16.00000000</c><c>      6.00000000</c><c>  PAW_PBE O 08Apr2002                   </c></rc>
   </set>
  </array>
 </atominfo>
 <structure name="initialpos" >
{_structure()}
 </structure>
 <calculation>
  <scstep>
   <time name="total">    1.00    1.00</time>
   <energy>
    <i name="e_fr_energy">    -10.00000000 </i>
    <i name="e_wo_entrp">    -10.00000000 </i>
    <i name="e_0_energy">    -10.00000000 </i>
   </energy>
  </scstep>
  <structure>
{_structure()}
  </structure>
  <varray name="forces" >
   <v>       0.00000000       0.00000000       0.00000000 </v>
   <v>       0.00000000       0.00000000       0.00000000 </v>
  </varray>
  <energy>
   <i name="e_fr_energy">    -10.00000000 </i>
   <i name="e_wo_entrp">    -10.00000000 </i>
   <i name="e_0_energy">    -10.00000000 </i>
  </energy>
  <dielectricfunction comment="density-density">
   <imag>
{_array(energy, imaginary)}
   </imag>
   <real>
{_array(energy, real)}
   </real>
  </dielectricfunction>
  <dielectricfunction comment="current-current">
   <imag>
{_array(energy, 2.0 * imaginary)}
   </imag>
   <real>
{_array(energy, real)}
   </real>
  </dielectricfunction>
 </calculation>
 <structure name="finalpos" >
{_structure()}
 </structure>
</modeling>
"""


def _structure() -> str:
    return """  <crystal>
   <varray name="basis" >
    <v>       2.80000000       0.00000000       0.00000000 </v>
    <v>       0.00000000       2.80000000       0.00000000 </v>
    <v>       0.00000000       0.00000000       4.70000000 </v>
   </varray>
   <i name="volume">     36.84800000 </i>
   <varray name="rec_basis" >
    <v>       0.35714286       0.00000000       0.00000000 </v>
    <v>       0.00000000       0.35714286       0.00000000 </v>
    <v>       0.00000000       0.00000000       0.21276596 </v>
   </varray>
  </crystal>
  <varray name="positions" >
   <v>       0.00000000       0.00000000       0.00000000 </v>
   <v>       0.50000000       0.50000000       0.50000000 </v>
  </varray>"""


def _array(energy: np.ndarray, tensor: np.ndarray) -> str:
    fields = "\n".join(f"     <field>{name}</field>" for name in ("energy", *_COMPONENTS))
    rows = "\n".join(
        "      <r> " + "".join(f"{value:10.4f} " for value in (e, *row)) + "</r>"
        for e, row in zip(energy, tensor, strict=True)
    )
    return f"""    <array>
     <dimension dim="1">gridpoints</dimension>
{fields}
     <set>
{rows}
     </set>
    </array>"""


def outcar(energy: np.ndarray, imaginary: np.ndarray, real: np.ndarray) -> str:
    """Text of an OUTCAR.

    Args:
        energy: (N,) eV.
        imaginary, real: (N, 6) xx, yy, zz, xy, yz, zx.
    """
    return f""" vasp.6.4.2 20Jul2023 (build Sep 01 2023 10:00:00) complex

 executed on             LinuxIFC date 2024.03.05  12:00:00
 running    4 mpi-ranks, with    1 threads/rank, on    1 nodes
 distrk:  each k-point on    4 cores,    1 groups
 distr:  one band on    1 cores,    4 groups


--------------------------------------------------------------------------------------------------------


 INCAR:
   PREC = accurate
   ALGO = Exact
   LOPTICS = .TRUE.

 Dimension of arrays:
   k-points           NKPTS =      1   k-points in BZ     NKDIM =      1   number of bands    NBANDS=     24
   number of dos      NEDOS = {len(energy):6d}   number of ions     NIONS =      2
   total plane-waves  NPLWV =  13824

   ISPIN  =      1    spin polarized calculation?
   LNONCOLLINEAR =      F non collinear calculations
   IBRION =     -1    ionic relax: 0-MD 1-quasi-New 2-CG
   LEPSILON=      F    determine dielectric tensor
   LCALCPOL=      F    macroscopic polarization
   NELECT =      16.0000    total number of electrons


--------------------------------------------------------------------------------------------------------


 k-point   1 :   0.0000 0.0000 0.0000  plane waves:     812

 maximum and minimum number of plane-waves per node :       203      203

 E-fermi :   5.1234     XC(G=0):  -9.8765     alpha+bet :-10.1234

 frequency dependent IMAGINARY DIELECTRIC FUNCTION (independent particle, no local field effects) density-density
     E(ev)      X         Y         Z        XY        YZ        ZX
  --------------------------------------------------------------------------------------
{_rows(energy, imaginary)}

 frequency dependent      REAL DIELECTRIC FUNCTION (independent particle, no local field effects) density-density
     E(ev)      X         Y         Z        XY        YZ        ZX
  --------------------------------------------------------------------------------------
{_rows(energy, real)}

--------------------------------------------------------------------------------------------------------


 General timing and accounting informations for this job:
 ========================================================

                  Total CPU time used (sec):       10.000
                            User time (sec):        9.000
                          System time (sec):        1.000
                         Elapsed time (sec):       11.000
"""


def _rows(energy: np.ndarray, tensor: np.ndarray) -> str:
    return "\n".join(
        f"{e:12.6f}" + "".join(f"{value:10.6f}" for value in row)
        for e, row in zip(energy, tensor, strict=True)
    )
