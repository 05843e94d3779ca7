r"""The equations of the cell: balances and their weak forms, currents, laws of the reaction.

Numbers are those of the equations in the Supporting Information of Shrivastava et al., PNAS 2025.

Domains: particles (active material); the homogenised carbon-binder domain, which fills the rest of
the coating; the separator. The electrolyte is in the last two; electrons flow in the carbon-binder
domain and, on demand, in the particles too.

Strong form, with c_s = c_max s, c_l = c_0 y and their potentials phi_s, phi_l:

    lithium      dc_s/dt + div J = 0         J   = -D_s(c_s) grad c_s                  (10), (11)
    salt         eps_l dc_l/dt + div N_l = 0 N_l = -D_l,eff grad c_l + t+ i_l / F
    electrolyte  div i_l = 0                 i_l = -kappa_eff grad phi_l
                                             + (2 kappa_eff R T / F)(1 - t+) TDF grad ln c_l
    carbon       div i_s = 0                 i_s = -sigma_eff grad phi_s
    effective    D_l,eff = eps_l^b D_l,  kappa_eff = eps_l^b kappa,  sigma_eff = f^b K_CB   (7)-(9)

On a particle's surface, but where it touches separator or collector, i > 0 when lithium leaves:

    eta = phi_s + V - phi_l - U(x_surf)                                                (12)
    i0  = F k_c^aa k_a^ac (c_max - c_s)^aa c_s^ac (c_l / c_l,ref)^aa                   (13)
    i   = pen i0 (exp(aa F eta / RT) - exp(-ac F eta / RT))                            (14), (15)

What crosses a surface, as a current density along n, out of the domain of the balance (16), (17):

    balance, field            F J.n or i.n on   particle   double layer   lithium metal   collector
    lithium in particles, s                        i            .               .             .
    salt, y                                       -i          -i_dl            i_Li           .
    charge in electrolyte, phi_l                  -i          -i_dl            i_Li           .
    charge in carbon, phi_s                        i           i_dl             .          phi_s / R

i_dl = C_dl d(phi_s + V - phi_l)/dt charges the double layer, if there is one, with Li+ of the
electrolyte; i_Li > 0 deposits lithium. At all other outer surfaces n . flux = 0. phi_s is measured
from the collector and phi_l from the lithium metal, so that no digits are lost; V stands in eta.
The cell current I flows into the collector, positive on charge: I = -(integral of phi_s / R), and
a relation g(V, I, t) = 0 is prescribed at the terminals.

`balances` holds the table of all this, a row a field; `solid`, `electrolyte` and `carbon` the weak
forms, written with the means of `weak_form`; `effective` Bruggeman's relation; `kinetics` and
`exchange` the currents through surfaces.
"""
