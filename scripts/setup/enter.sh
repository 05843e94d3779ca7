# shellcheck shell=bash
# Runs a command where DOLFINx is; sourced by setup.sh.

# The folder in which Python finds `heterode`, by a link to simulator/.
package_path=$setup_dir/path

# Files of the machine that replace the userland's own: on users, on the resolution of names, and
# on where pip finds packages.
machine_files=(resolv.conf hosts passwd group nsswitch.conf pip.conf)

# Top folders that come from the userland (or are made for it); every other one is the machine's.
system_folders=' bin boot dev etc lib lib32 lib64 libx32 lost+found proc run sbin sys usr var '

# True if the userland shows something else, or nothing, at this path of the machine.
is_hidden() {
    local top=${1#/}
    [[ $system_folders == *" ${top%%/*} "* ]]
}

# userland_arguments VENV --bind|--ro-bind: set `bwrap` and its `arguments` for entering the
# userland, and remove from the environment what would lead a program there to the machine's
# libraries.
userland_arguments() {
    local folder file bundle
    bwrap=$(type -P bwrap)
    arguments=(--ro-bind "$tree/usr" /usr --ro-bind "$tree/etc" /etc --tmpfs /usr/local
        --dir /run --dir /var --symlink ../run /var/run
        --ro-bind "$tree/var/lib/dpkg" /var/lib/dpkg --ro-bind-try "$tree/var/cache/fontconfig" /var/cache/fontconfig
        --bind-try /var/tmp /var/tmp --dev-bind /dev /dev --proc /proc --ro-bind-try /sys /sys)
    for folder in bin sbin lib lib32 lib64 libx32; do
        [[ ! -L $tree/$folder ]] || arguments+=(--symlink "$(readlink "$tree/$folder")" "/$folder")
    done
    for folder in /*; do
        [[ ! -d $folder ]] || is_hidden "$folder" || arguments+=(--bind "$folder" "$folder")
    done
    for folder in "$project" "$PWD" "${HOME:-}" "$cache" "${TMPDIR:-}"; do
        [[ $folder != /?* || ! -d $folder ]] || ! is_hidden "$folder" || arguments+=(--bind "$folder" "$folder")
    done
    for file in "${machine_files[@]}"; do
        [[ ! -r /etc/$file ]] || arguments+=(--ro-bind "$(readlink -f "/etc/$file")" "/etc/$file")
    done
    for bundle in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
        [[ ! -r $bundle ]] || { arguments+=(--ro-bind "$bundle" /etc/ssl/certs/ca-certificates.crt); break; }
    done
    # bwrap would make the folder above for root only, but a program inside may become another user.
    arguments+=(--perms 0755 --dir "${venv_inside%/*}" "$2" "$1" "$venv_inside" --chdir "$PWD" --die-with-parent)

    local name
    for name in "${!CONDA_@}" "${!PYENV_@}" "${!OMPI_@}" "${!PMIX_@}" "${!PRTE_@}" PYTHONHOME VIRTUAL_ENV \
        LD_LIBRARY_PATH LD_PRELOAD PETSC_DIR PETSC_ARCH SLEPC_DIR OPAL_PREFIX \
        CC CXX FC CPP AR LD CFLAGS CXXFLAGS CPPFLAGS LDFLAGS LANG LANGUAGE; do
        unset "$name"
    done
    export LC_ALL=C.UTF-8 PYTHONNOUSERSITE=1 PYTHONPATH=$package_path
    export PATH=$setup_dir/bin:$venv_inside/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
    export "${mpi_settings[@]}" OMPI_MCA_btl=self,sm HETERODE_INSIDE=userland
    # Slurm's own launcher is not in the userland, and is not needed on a single node.
    export PRTE_MCA_plm=^slurm
}

# enter_userland COMMAND...: run it and return its exit code; whatever ends this shell ends it too.
enter_userland() {
    local code inside bwrap
    local -a arguments=() reset=(--default-signal=TERM --default-signal=QUIT --default-signal=USR1)
    userland_arguments "$venv" --ro-bind
    # bwrap waits for the command, so the signals that the command answers must not end bwrap:
    # it starts with them ignored and `env` gives them back to the command (unless the caller of
    # this shell ignores interrupts, as for a job in the background).
    [[ -n $(trap -p INT) ]] || reset+=(--default-signal=INT)
    # With a terminal, ^C reaches the command straight from there. Without one the command gets a
    # session of its own, so that each signal reaches it exactly once: from here.
    if [[ ! -t 0 && ! -t 1 && ! -t 2 ]]; then
        arguments+=(--new-session)
        trap 'pass_on INT' INT
    else
        trap : INT
    fi
    (trap '' INT QUIT TERM USR1 && exec "$bwrap" "${arguments[@]}" env "${reset[@]}" "$@") <&0 &
    inside=$!
    trap 'pass_on TERM' TERM
    trap 'pass_on USR1' USR1
    while :; do
        wait "$inside"
        code=$?
        # A wait that a signal interrupts returns more than 128 while the command is still alive.
        kill -0 "$inside" 2>/dev/null || break
    done
    return "$code"
}

# pass_on SIGNAL: forward it to the command, the only child of bwrap.
pass_on() {
    local command
    read -r command 2>/dev/null <"/proc/$inside/task/$inside/children"
    [[ -z ${command:-} ]] || kill -s "$1" "$command"
}

# enter_machine COMMAND...: the same with the machine's own DOLFINx, in place of this shell.
enter_machine() {
    export PATH=$setup_dir/bin:${machine_python%/*}:$PATH PYTHONPATH=$package_path${PYTHONPATH:+:$PYTHONPATH}
    export "${mpi_settings[@]}" HETERODE_INSIDE=machine
    exec "$@"
}

# enter_again COMMAND...: run it when already inside, with this clone's command and package first.
enter_again() {
    export PATH=$setup_dir/bin:$PATH PYTHONPATH=$package_path${PYTHONPATH:+:$PYTHONPATH}
    exec "$@"
}
