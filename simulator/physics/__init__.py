r"""The equations of the cell: balances and their weak forms, surface currents, and reaction laws.

Equations are numbered as in the Supporting Information of Shrivastava et al., PNAS 2025.

The domains are the particles (active material), the homogenised carbon-binder domain, which fills
the rest of the coating, and the separator. The electrolyte is in the last two. Electrons flow in
the carbon-binder domain and, if requested, in the particles too.

The strong form, with c_s = c_max s, c_l = c_0 y and the potentials phi_s and phi_l, is

    lithium      dc_s/dt + div J = 0         J   = -D_s(c_s) grad c_s                  (10), (11)
    salt         eps_l dc_l/dt + div N_l = 0 N_l = -D_l,eff grad c_l + t+ i_l / F
    electrolyte  div i_l = 0                 i_l = -kappa_eff grad phi_l
                                             + (2 kappa_eff R T / F)(1 - t+) TDF grad ln c_l
    carbon       div i_s = 0                 i_s = -sigma_eff grad phi_s
    effective    D_l,eff = eps_l^b D_l,  kappa_eff = eps_l^b kappa,  sigma_eff = f^b K_CB   (7)-(9)

On a particle's surface, except where it touches separator or collector, i > 0 as lithium leaves:

    eta = phi_s + V - phi_l - U(x_surf)                                                (12)
    i0  = F k_c^aa k_a^ac (c_max - c_s)^aa c_s^ac (c_l / c_l,ref)^aa                   (13)
    i   = pen i0 (exp(aa F eta / RT) - exp(-ac F eta / RT))                            (14), (15)

Current densities along n, out of the domain of each balance, are, by equations (16) and (17),

    balance, field            F J.n or i.n on   particle   double layer   lithium metal   collector
    lithium in particles, s                        i            .               .             .
    salt, y                                       -i          -i_dl            i_Li           .
    charge in electrolyte, phi_l                  -i          -i_dl            i_Li           .
    charge in carbon, phi_s                        i           i_dl             .          phi_s / R

i_dl = C_dl d(phi_s + V - phi_l)/dt charges the double layer, if there is one, with Li+ from the
electrolyte; i_Li > 0 deposits lithium. At all other outer surfaces n . flux = 0. phi_s is measured
from the collector and phi_l from the lithium metal, so that no digits are lost, and V appears in
eta. The cell current I flows into the collector and is positive on charge: I = -(integral of
phi_s / R). A relation g(V, I, t) = 0 is prescribed at the terminals.

`balances` has the table of all this, with a row for each field; `solid`, `electrolyte` and `carbon`
have the weak forms, which are written in terms of `weak_form`; `effective` has Bruggeman's
relation; `kinetics` and `exchange` have the currents through surfaces.
"""
