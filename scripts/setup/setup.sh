# shellcheck shell=bash
# Set-up: sourced by scripts/run, scripts/test and .ci/run, which then call
#
#     set_up              find or build a place with DOLFINx, once
#     enter COMMAND...    run a command there and end with its exit code
#
# The places: the machine's own DOLFINx (machine.sh) or a private Debian 13 userland (userland.sh).
# HETERODE_CACHE     where set-up keeps what it builds (default ~/.cache/heterode)
# HETERODE_USE       "machine" or "userland" to insist on one of them
# HETERODE_MIRROR    the Debian mirror to build the userland from

set -uo pipefail
# shellcheck source=scripts/setup/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=scripts/setup/machine.sh
source "$setup_dir/machine.sh"
# shellcheck source=scripts/setup/userland.sh
source "$setup_dir/userland.sh"
# shellcheck source=scripts/setup/enter.sh
source "$setup_dir/enter.sh"

set_up() {
    local use=${HETERODE_USE:-either}
    [[ $use == @(either|machine|userland) ]] ||
        fail 2 "HETERODE_USE = $use is not known (allowed: machine, userland, or unset)"
    # A command inside may call these scripts again, as tests do.
    if [[ -n ${HETERODE_INSIDE:-} ]]; then
        place=again
        return
    fi
    prepare_cache
    if [[ $use != userland ]] && machine_serves; then
        place=machine
        return
    fi
    [[ $use != machine ]] ||
        fail 1 "HETERODE_USE = machine, but the DOLFINx of this machine's python3 is missing or cannot serve. $other_ways"
    place=userland
    name_userland
    userland_is_ready || locked "${tree##*/}" build_userland
}

enter() {
    "enter_$place" "$@"
    exit
}
