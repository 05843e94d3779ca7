# shellcheck shell=bash
# Finds out whether the machine's own DOLFINx can run heterode; sourced by setup.sh.
#
# The answer is kept in the cache and looked up again only when a folder that decides it has
# changed (package managers touch site-packages), so that it costs nothing on every later call.
# The file: `ready PYTHON` or `none`, then the folders to watch.

machine_python=

# The setting that decides which Python and which packages `python3` means.
machine_file() {
    printf '%s/machine-%s' "$cache" "$(digest "$(type -P python3):${CONDA_PREFIX:-}:${VIRTUAL_ENV:-}:\
${PYENV_VERSION:-}:${PYTHONPATH:-}:${LD_LIBRARY_PATH:-}:$(<"$project/pyproject.toml")")"
}

# True, with machine_python set, if the machine's own DOLFINx can be used.
machine_serves() {
    type -P python3 >/dev/null || return 1
    local file
    file=$(machine_file)
    machine_is_known "$file" || locked machine machine_ask "$file"
    [[ -n $machine_python ]]
}

# True if the answer in FILE still holds.
machine_is_known() {
    [[ -r $1 ]] || return 1
    local -a lines
    local watched
    mapfile -t lines <"$1"
    for watched in "${lines[@]:1}"; do
        [[ -e $watched && ! $watched -nt $1 ]] || return 1
    done
    [[ ${lines[0]} == none ]] || machine_python=${lines[0]#* }
}

machine_ask() {
    local file=$1 answer python version='' problem='' key value
    local -a watched=() lacking=()
    machine_is_known "$file" && return
    answer=$(python3 "$setup_dir/machine.py" "$project" 2>/dev/null) || answer=
    while read -r key value; do
        case $key in
            python) python=$value ;;
            watch) watched+=("$value") ;;
            dolfinx) version=$value ;;
            problem) problem=$value ;;
            missing) lacking+=("$value") ;;
        esac
    done <<<"$answer"

    local verdict=none
    if [[ -n $version && -z $problem ]]; then
        say "trying this machine's DOLFINx $version ($python)"
        machine_complete "$file" "$python" "${lacking[@]}"
        case $? in
            0) verdict="ready $machine_python" ;;
            1) problem="its self-test fails, see above" ;;
            *) problem="the Python packages it lacks could not be added, see above" ;;
        esac
    fi
    [[ -z $problem ]] || say "this machine's DOLFINx $version cannot serve: $problem"
    # The answer is not kept if a package index was out of reach; it may be back next time.
    [[ $problem != *"could not be added"* ]] || return 0
    printf '%s\n' "$verdict" "${watched[@]}" >"$file.new"
    mv "$file.new" "$file"
}

# machine_complete FILE PYTHON [REQUIREMENT...]: add what is missing in a venv, then test.
# Returns 1 if the test fails, 2 if the venv does.
machine_complete() {
    local file=$1 python=$2 scratch code=0
    shift 2
    if (($#)); then
        say "this machine's Python lacks $*: adding them in a venv of heterode's own"
        step "Python packages" "$file.log" no_progress machine_venv "$file.venv" "$python" "$@" || return 2
        python=$file.venv/bin/python3
    fi
    scratch=$(mktemp -d) || return 1
    step "self-test on two ranks" "$file.log" no_progress \
        env XDG_CACHE_HOME="$scratch" PATH="${python%/*}:$PATH" "${mpi_settings[@]}" \
        mpirun -n 2 "$python" "$setup_dir/selftest.py" 2 || code=1
    rm -rf "$scratch"
    ((code)) || machine_python=$python
    return "$code"
}

machine_venv() {
    local venv=$1 python=$2
    shift 2
    rm -rf "$venv" &&
        "$python" -m venv --system-site-packages "$venv" &&
        "$venv/bin/python3" "$setup_dir/add_packages.py" "$setup_dir/locks/machine.txt" "$@"
}

# Settings of mpirun for every implementation: permission to run as root (in containers) and with
# more ranks than cores; no pinning, or the first ranks of two runs would share a core; and waiting
# ranks that yield, or on a busy machine the ranks they wait for would have no core to run on.
mpi_settings=(
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe OMPI_MCA_rmaps_base_oversubscribe=1
    PRTE_MCA_hwloc_default_binding_policy=none OMPI_MCA_hwloc_base_binding_policy=none
    OMPI_MCA_mpi_yield_when_idle=1
    "OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}"
)
