# shellcheck shell=bash
# A private Debian 13 userland with DOLFINx, for machines without one; sourced by setup.sh.
#
# It is made in two stages, each built beside its final place and renamed when complete:
#     $cache/tree-KEY     Debian packages (packages.txt), made by mmdebstrap
#     $cache/venv-KEY     Python packages on top (locks/userland.txt); it is renamed after the
#                         self-test, so its existence means that everything works
# All clones of a user share them; nothing in them depends on a clone.

suite=trixie
venv_inside=/.heterode/venv
needed_kb=4000000
packages_file=$setup_dir/packages.txt
# The packages of requirements.txt and their dependencies, each with its digests.
userland_lock=$setup_dir/locks/userland.txt

name_userland() {
    local packages
    packages="$suite $(uname -m) $(entries "$packages_file")"
    tree=$cache/tree-$(digest "$packages")
    venv=$cache/venv-$(digest "$packages $(entries "$userland_lock")")
}

userland_is_ready() { [[ -d $venv && -d $tree ]]; }

build_userland() {
    userland_is_ready && return
    local started=$SECONDS
    require_tools
    if [[ ! -d $tree ]]; then
        require_space
        say "no DOLFINx 0.9 to 0.11 here: building a private Debian 13 userland, once (2 to 5 minutes)"
        say "it takes 3 GB in $cache, and nothing outside is changed"
        step "Debian packages (1 of 3)" "$tree.log" debian_progress make_tree ||
            fail 1 "the userland could not be built; call again to go on. $other_ways"
    fi
    step "Python packages (2 of 3)" "$venv.log" no_progress make_venv ||
        fail 1 "the Python packages could not be installed; call again to go on. $other_ways"
    step "self-test on two ranks (3 of 3)" "$venv.log" no_progress test_userland ||
        fail 1 "the userland does not work on this machine. $other_ways"
    # A venv may have outlived its tree, if only the tree was deleted.
    rm -rf "$venv"
    mv -T "$venv.new" "$venv" || fail 1 "cannot put $venv in its place"
    say "ready after $((SECONDS - started)) s"
}

# --- what the machine must offer ---

require_tools() {
    local -a lacking=()
    type -P bwrap >/dev/null || lacking+=(bubblewrap)
    if [[ ! -d $tree ]]; then
        type -P mmdebstrap >/dev/null || lacking+=(mmdebstrap)
        [[ -e /usr/share/keyrings/debian-archive-keyring.gpg ]] || lacking+=(debian-archive-keyring)
        ((EUID == 0)) || type -P newuidmap >/dev/null || lacking+=(uidmap)
    fi
    if ((${#lacking[@]})); then
        type -P apt-get >/dev/null ||
            fail 1 "no DOLFINx 0.9 to 0.11 here, and no apt-get to install ${lacking[*]} from, to build one. $other_ways"
        ((EUID == 0)) ||
            fail 1 "no DOLFINx 0.9 to 0.11 here; to build one, first: sudo apt-get install ${lacking[*]}. $other_ways"
        step "installing ${lacking[*]}, to build a userland with" "$cache/tools.log" no_progress install_tools "${lacking[@]}" ||
            fail 1 "${lacking[*]} could not be installed. $other_ways"
    fi
    bwrap --ro-bind / / --dev-bind /dev /dev true 2>"$cache/tools.log" ||
        fail 1 "no DOLFINx 0.9 to 0.11 here, and this machine lets $(id -un) make no namespaces to build one in ($(tail -n 1 "$cache/tools.log")). $other_ways"
}

install_tools() {
    export DEBIAN_FRONTEND=noninteractive
    local -a install=(apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@")
    "${install[@]}" || { apt-get update && "${install[@]}"; }
}

require_space() {
    local free
    free=$(df -Pk "$cache" | awk 'NR == 2 { print $4 }')
    ((free >= needed_kb)) ||
        fail 1 "$cache has $((free / 1000)) MB free and $((needed_kb / 1000)) MB are needed; set HETERODE_CACHE to another folder"
}

# --- stage 1: the tree ---

make_tree() {
    local packages
    packages=$(entries "$packages_file" | paste -sd,)
    local -a options=(--variant=apt "--include=$packages" --dpkgopt=force-unsafe-io)
    local path
    for path in doc man locale info lintian; do
        options+=("--dpkgopt=path-exclude=/usr/share/$path/*")
    done
    keep_downloads
    machine_apt_options
    machine_mirror
    # The user's locale is not used, since the tree does not have it.
    export LC_ALL=C.UTF-8
    if ((EUID == 0)); then
        [[ ! -d $tree.debs ]] ||
            options+=("--setup-hook=mkdir -p \"\$1\"/var/cache/apt/archives && cp '$tree.debs'/*.deb \"\$1\"/var/cache/apt/archives/")
        # It has its own mount namespace, so that no /proc and /dev stay mounted if it is killed.
        unshare --mount --propagation private \
            mmdebstrap --verbose --mode=root "${options[@]}" "$suite" "$tree.new" "${mirror[@]}" || return 1
    else
        # Through an archive, the files come to belong to the user, not to a subordinate id.
        mkdir "$tree.new" || return 1
        mmdebstrap --verbose --mode=unshare --format=tar "${options[@]}" "$suite" - "${mirror[@]}" |
            tar -x --no-same-owner --exclude='./dev/*' -C "$tree.new" || return 1
    fi
    # Places for the machine's own files (see enter.sh), since the tree is entered read-only.
    rm -f "$tree.new/etc/resolv.conf"
    mkdir -p "$tree.new/etc/ssl/certs" &&
        (cd "$tree.new/etc" && touch "${machine_files[@]}" ssl/certs/ca-certificates.crt) &&
        mv -T "$tree.new" "$tree" &&
        rm -rf "$tree.debs"
}

# Start again, but keep what an interrupted build has downloaded; apt checks it once more.
keep_downloads() {
    local deb
    for deb in "$tree.new"/var/cache/apt/archives/*.deb; do
        [[ -e $deb ]] || continue
        mkdir -p "$tree.debs"
        mv "$deb" "$tree.debs/"
    done
    rm -rf --one-file-system "$tree.new"
}

# The settings of the machine's apt for proxies and the dates of its mirror.
machine_apt_options() {
    type -P apt-config >/dev/null || return 0
    local line
    while read -r line; do
        options+=("--aptopt=${line%;}")
    done < <(apt-config dump | grep -E '^Acquire::(https?::.*[Pp]roxy|Check-Valid-Until|Check-Date) ' || true)
}

# mirror: where mmdebstrap takes packages from: the machine's own Debian mirror if it has the
# suite (a site without Internet has no other), otherwise nothing, hence mmdebstrap's default.
machine_mirror() {
    local label uri main='' security=''
    mirror=()
    if [[ -n ${HETERODE_MIRROR:-} ]]; then
        mirror=("$HETERODE_MIRROR")
        return
    fi
    type -P apt-get >/dev/null || return 0
    # shellcheck disable=SC2016  # apt-get's variables, not the shell's
    local format='$(LABEL)|$(REPO_URI)'
    while IFS='|' read -r label uri; do
        case $label in
            Debian) main=${main:-$uri} ;;
            Debian-Security) security=${security:-$uri} ;;
        esac
    done < <(apt-get indextargets --format "$format" 'Created-By: Packages' 2>/dev/null)
    mirror_has "$main" "$suite" || return 0
    mirror=("deb $main $suite main")
    ! mirror_has "$main" "$suite-updates" || mirror+=("deb $main $suite-updates main")
    ! mirror_has "$security" "$suite-security" || mirror+=("deb $security $suite-security main")
    options+=(--keyring=/usr/share/keyrings/debian-archive-keyring.gpg)
}

# mirror_has URI SUITE
mirror_has() {
    [[ $1 == http* || $1 == file:* ]] || return 1
    local target code=0
    target=$(mktemp)
    /usr/lib/apt/apt-helper download-file "${1%/}/dists/$2/InRelease" "$target" >/dev/null 2>&1 || code=1
    rm -f "$target"
    return "$code"
}

# debian_progress LOG: the progress of apt, from its messages: "312 of 547 packages unpacked".
debian_progress() {
    awk '/newly installed/ { total = $3; split("", count) }
         /^Get:/ { phase = "fetched" } /^Unpacking / { phase = "unpacked" }
         /^Setting up / { phase = "set up" }
         /^(Get:|Unpacking |Setting up )/ { count[phase]++ }
         END { if (total && phase) print count[phase] " of " total " packages " phase }' "$1"
}

# --- stage 2: the venv, and the proof ---

make_venv() {
    local bwrap
    local -a arguments
    local -a pip=("$venv_inside/bin/python3" -m pip install --only-binary :all:)
    rm -rf "$venv.new"
    mkdir "$venv.new" || return 1
    # The machine's pip configuration may ask for installs beside the venv, which is unwanted.
    export PIP_USER=0 PIP_ROOT_USER_ACTION=ignore
    unset PIP_TARGET PIP_PREFIX
    userland_arguments "$venv.new" --bind
    pip_folders
    "$bwrap" "${arguments[@]}" /usr/bin/python3 -m venv --system-site-packages "$venv_inside" &&
        "$bwrap" "${arguments[@]}" "${pip[@]}" --no-deps --require-hashes -r "$userland_lock"
}

# make_place PATH: make something in the tree on which the machine's PATH can be bound, since the
# tree is entered read-only.
make_place() {
    case $1 in
        /etc/* | /usr/*) ;;
        *) return ;;
    esac
    if [[ -d $1 ]]; then
        mkdir -p "$tree$1"
    elif [[ ! -e $tree$1 ]]; then
        mkdir -p "$tree${1%/*}" && : >"$tree$1"
    fi
}

# pip_folders: bind what the machine's pip settings point to (certificates, folders of packages)
# where the userland would hide it.
pip_folders() {
    local path
    local -a files=(/etc/pip.conf /etc/xdg/pip/pip.conf "${PIP_CONFIG_FILE:-}"
        "${XDG_CONFIG_HOME:-${HOME:-}/.config}/pip/pip.conf" "${HOME:-}/.pip/pip.conf")
    while read -r path; do
        [[ -e $path ]] || continue
        is_hidden "$path" || continue
        make_place "$path"
        arguments+=(--ro-bind "$path" "$path")
    done < <({
        printf '%s\n' /etc/xdg/pip
        { env | grep -E '^(PIP_|SSL_CERT_FILE=|REQUESTS_CA_BUNDLE=)'; cat "${files[@]}" 2>/dev/null; } |
            grep -oE '(file://)?/[^[:space:],=]+' | sed 's,^file://,,'
    } | sort -u)
}

test_userland() {
    local scratch bwrap code=0
    local -a arguments
    scratch=$(mktemp -d) || return 1
    export XDG_CACHE_HOME=$scratch
    userland_arguments "$venv.new" --ro-bind
    "$bwrap" "${arguments[@]}" mpirun -n 2 python3 "$setup_dir/selftest.py" 2 || code=1
    rm -rf "$scratch"
    return "$code"
}
