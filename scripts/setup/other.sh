# shellcheck shell=bash
# Userlands for tests, with programs that heterode itself does not need; sourced by scripts/test
# after setup.sh.
#
#     other_userland NAME    make the one of other/NAME.txt, once, and export where it lies:
#                            HETERODE_TREE_PARAVIEW, HETERODE_TREE_BROWSER

other_userland() {
    local name=$1 packages tree packages_file=$setup_dir/other/$1.txt
    packages="$suite $(uname -m) $(entries "$packages_file")"
    tree=$cache/other-$name-$(digest "$packages")
    [[ -d $tree ]] || locked "${tree##*/}" build_other
    export "HETERODE_TREE_${name^^}=$tree"
}

build_other() {
    [[ -d $tree ]] && return
    require_tools
    require_space
    step "Debian packages of $name, for its tests" "$tree.log" debian_progress make_tree ||
        fail 1 "the userland with $name could not be built; call again to go on"
}

# other_userlands ARGUMENTS: those that the markers among pytest's arguments ask for.
other_userlands() {
    local name before=
    # Inside a userland, they are known already.
    [[ -z ${HETERODE_INSIDE:-} ]] || return 0
    while (($#)); do
        for name in paraview browser; do
            [[ $before != -m || $1 != *$name* || $1 == *"not $name"* ]] || other_userland "$name"
        done
        before=$1
        shift
    done
}
