# shellcheck shell=bash
# Messages, progress and paths that all parts of set-up share; sourced, never run.
# Set-up writes to stderr only, since stdout belongs to the command that it runs.

setup_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
project=${setup_dir%/scripts/setup}
cache=${HETERODE_CACHE:-${XDG_CACHE_HOME:-${HOME:-}/.cache}/heterode}
[[ $cache == /* ]] || cache=$PWD/$cache

say() { printf 'heterode set-up: %s\n' "$*" >&2; }

# fail CODE MESSAGE: print one line and exit; 2 for wrong input, 1 if set-up cannot continue.
fail() {
    printf '%s: error: %s\n' "${0##*/}" "$2" >&2
    exit "$1"
}

other_ways="Other ways: conda (conda env create -f environment.yml), Docker (docker build -t heterode .), \
or Debian 13 with the packages of scripts/setup/packages.txt"

# entries FILE: the entries of a list file, without comments and empty lines.
entries() { sed -e 's/[[:space:]]*#.*//' -e '/^[[:space:]]*$/d' "$1"; }

# digest TEXT: sixteen hexadecimal digits that identify it.
digest() {
    local sum
    sum=$(sha256sum <<<"$1")
    printf '%s' "${sum:0:16}"
}

# step TITLE LOG PROGRESS COMMAND...: run COMMAND with its output in LOG, and show its progress:
# on a terminal one line that counts the seconds, elsewhere a line at the start, at every half
# minute and at the end. PROGRESS is a command that prints the progress according to LOG.
step() {
    local title=$1 log=$2 progress=$3 started=$SECONDS said=0 code=0 detail
    shift 3
    : >"$log"
    # Job control gives COMMAND a process group of its own, so that an interrupt ends all of it.
    set -m
    # Others must not change what is built, whatever the user's umask is.
    (umask go-w && "$@") >"$log" 2>&1 </dev/null &
    step_job=$!
    set +m
    trap 'interrupted' INT TERM HUP
    [[ -t 2 ]] || say "$title ..."
    while kill -0 "$step_job" 2>/dev/null; do
        sleep 0.3
        if [[ -t 2 ]]; then
            detail=$("$progress" "$log")
            printf '\r\e[Kheterode set-up: %s ... %d s  %s' "$title" $((SECONDS - started)) "$detail" >&2
        elif ((SECONDS - started >= said + 30)); then
            said=$((SECONDS - started))
            say "$title ... $said s  $("$progress" "$log")"
        fi
    done
    wait "$step_job" || code=$?
    trap - INT TERM HUP
    [[ ! -t 2 ]] || printf '\r\e[K' >&2
    if ((code)); then
        say "$title failed after $((SECONDS - started)) s; the end of $log:"
        tail -n 15 "$log" >&2
        return 1
    fi
    say "$title: $((SECONDS - started)) s"
}

no_progress() { :; }

interrupted() {
    trap '' INT TERM HUP
    kill -TERM -- "-$step_job" 2>/dev/null
    wait "$step_job" 2>/dev/null
    printf '\n' >&2
    say "interrupted; the next call goes on from the last finished step"
    exit 130
}

# locked NAME COMMAND...: run COMMAND while no other set-up of this user holds the lock NAME.
# The lock ends with the process that holds it, so a killed set-up leaves none behind.
locked() {
    local name=$1 lock code=0
    shift
    exec {lock}>"$cache/$name.lock"
    flock --nonblock "$lock" 2>/dev/null || code=$?
    if ((code == 1)); then
        say "another set-up is at work in $cache; waiting for it ..."
        until flock --timeout 30 "$lock"; do say "still waiting ..."; done
    elif ((code > 1)); then
        # The file system does not support locks.
        hold_by_file "$cache/$name.held"
    fi
    "$@"
    exec {lock}>&-
    if ((code > 1)); then rm -f "$cache/$name.held"; fi
}

# hold_by_file FILE: hold a lock by making FILE, with process and host. A file left by a killed
# set-up of this host is taken over; of another host's process it is not known whether it lives.
hold_by_file() {
    local held=$1 waited=0 process host
    until (set -o noclobber && printf '%s %s\n' "$$" "$HOSTNAME" >"$held") 2>/dev/null; do
        [[ -e $held ]] || [[ -w ${held%/*} ]] || fail 1 "cannot write to ${held%/*}"
        process='' host=''
        { read -r process host <"$held"; } 2>/dev/null || true
        if [[ $host == "$HOSTNAME" && $process =~ ^[0-9]+$ ]] && ! kill -0 "$process" 2>/dev/null; then
            rm -f "$held"
            continue
        fi
        if ((waited % 30 == 0)); then
            say "waiting for the set-up of process ${process:-unknown} on ${host:-unknown}; if there is none, remove $held"
        fi
        waited=$((waited + 1))
        sleep 1
    done
}

prepare_cache() {
    [[ -n ${HETERODE_CACHE:-}${XDG_CACHE_HOME:-}${HOME:-} ]] ||
        fail 1 "there is no HOME to keep the set-up in; set HETERODE_CACHE to a folder"
    if [[ ! -e $cache ]]; then
        mkdir -p "${cache%/*}" 2>/dev/null && mkdir -m 700 "$cache" 2>/dev/null || true
    fi
    # Programs in this folder are executed, so nobody else may write to it. -w alone is no test:
    # root may write everywhere.
    if [[ -d $cache ]]; then
        [[ -O $cache && $(stat -c %u "$cache") == "$EUID" ]] ||
            fail 1 "$cache belongs to another user, who could put programs there; set HETERODE_CACHE to a folder of your own"
        (((8#$(stat -L -c %a "$cache") & 8#022) == 0)) ||
            fail 1 "others can write to $cache, and could put programs there; if nobody did: chmod go-w '$cache'"
    fi
    if [[ ! -d $cache || ! -w $cache ]]; then
        fail 1 "cannot write to $cache; set HETERODE_CACHE to a folder you can write to"
    fi
}
