"""scripts/run and scripts/test: argument forms, errors, and set-up as seen from outside.

These tests run inside the place that set-up made, where no second userland can be built; so the
programs set-up calls (bwrap, mpirun, python3) are replaced by stubs at the front of PATH.
"""

import os
import re
import signal
import subprocess
import time
import tomllib

import pytest

from helpers.paths import ROOT as PROJECT
from helpers.surroundings import PATIENCE

RUN = PROJECT / "scripts" / "run"
SETUP = PROJECT / "scripts" / "setup"

# A bwrap that drops its own options: everything up to the `env` that restores the signals.
BWRAP = """\
while [ "$1" != env ]; do shift; done
exec "$@"
"""
SAY_ARGUMENTS = 'echo "${0##*/}" "$@"'


def stub(folder, name, body):
    """Put an executable shell script called `name` into `folder`."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n" + body)
    (folder / name).chmod(0o755)


def call(*arguments, stubs=None, program=RUN, cwd=None, **settings):
    """Run a script with the environment changed by `settings`; None unsets a variable."""
    environment = dict(os.environ)
    for name, value in settings.items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = str(value)
    if stubs is not None:
        environment["PATH"] = f"{stubs}:{environment['PATH']}"
    return subprocess.run(
        [program, *arguments],
        env=environment,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def listed(name):
    """The entries of a list file, without comments."""
    lines = (SETUP / name).read_text().splitlines()
    return [entry for line in lines if (entry := line.split("#")[0].strip())]


@pytest.fixture
def userland(tmp_path):
    """The settings for a call that takes an empty cache for a finished userland."""
    naming = f"source {SETUP}/setup.sh; name_userland; mkdir -p $tree/usr $tree/etc $venv"
    cache = tmp_path / "cache"
    subprocess.run(
        ["bash", "-c", naming], env={**os.environ, "HETERODE_CACHE": str(cache)}, check=True
    )
    stub(tmp_path / "stubs", "bwrap", BWRAP)
    return {
        "stubs": tmp_path / "stubs",
        "HETERODE_CACHE": cache,
        "HETERODE_USE": "userland",
        "HETERODE_INSIDE": None,
    }


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["-n"], "-n needs a number"),
        (["-n", "0"], "-n 0"),
        (["-n", "-1"], "-n -1"),
        (["-n", "x"], "-n x"),
        (["-n", "1.5"], "-n 1.5"),
        (["-n", ""], "-n "),
        (["-n", "2", "--"], "no command after --"),
        (["--"], "no command after --"),
        (["params/quickstart.toml", "--", "true"], "'params/quickstart.toml' stands before --"),
    ],
)
def test_wrong_arguments_give_one_line_and_code_2(arguments, named):
    answer = call(*arguments)
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.startswith("run: error: ")
    assert answer.stderr.count("\n") == 1
    assert named in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], f"run {PROJECT}/params/quickstart.toml"),
        (["--out", "here"], f"run {PROJECT}/params/quickstart.toml --out here"),
        (["--set", "a.b=c.toml"], f"run {PROJECT}/params/quickstart.toml --set a.b=c.toml"),
        (["my.toml"], "run my.toml"),
        (["my params", "--resume"], "run my params --resume"),
        (["--out", "here", "my.toml"], "run --out here my.toml"),
        (["--", "heterode", "report", "t.csv", "-n"], "report t.csv -n"),
    ],
)
def test_forms_become_heterode_commands(tmp_path, arguments, expected):
    stub(tmp_path / "stubs", "python3", SAY_ARGUMENTS)
    answer = call(*arguments, stubs=tmp_path / "stubs", HETERODE_INSIDE="test")
    assert answer.stdout == f"python3 -P -m heterode {expected}\n"


@pytest.mark.parametrize("arguments", [["-n", "3", "my.toml"], ["my.toml", "-n", "3"]])
def test_ranks_go_to_mpirun(tmp_path, arguments):
    stub(tmp_path / "stubs", "mpirun", SAY_ARGUMENTS)
    answer = call(*arguments, stubs=tmp_path / "stubs", HETERODE_INSIDE="test")
    assert re.fullmatch(
        r"mpirun -n 3 (setpriv --pdeathsig KILL )?heterode run my.toml\n", answer.stdout
    )


ENDINGS = {"exit 0": 0, "exit 2": 2, "exit 3": 3, "exit 138": 138, "exit 130": 130}
KILLED = {"exit 137": "a rank was", "exit 139": "a rank was", "kill -9 $$": "mpirun was"}


@pytest.mark.parametrize(("body", "code"), ENDINGS.items())
def test_exit_code_of_ranks_passes_through(tmp_path, body, code):
    stub(tmp_path / "stubs", "mpirun", body)
    answer = call("-n", "2", "my.toml", stubs=tmp_path / "stubs", HETERODE_INSIDE="test")
    assert (answer.returncode, answer.stdout, answer.stderr) == (code, "", "")


@pytest.mark.parametrize(("body", "who"), KILLED.items())
def test_killed_ranks_are_reported_with_code_3(tmp_path, body, who):
    stub(tmp_path / "stubs", "mpirun", body)
    answer = call("-n", "2", "my.toml", stubs=tmp_path / "stubs", HETERODE_INSIDE="test")
    assert (answer.returncode, answer.stdout) == (3, "")
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"heterode: failed: {who} ended by signal ")
    assert "--resume" in line


@pytest.mark.parametrize("name", ["INT", "TERM", "USR1"])
def test_a_signal_reaches_mpirun_once(tmp_path, name):
    enough = tmp_path / "enough"
    counting = (
        f"trap 'echo {name}' {name}\necho ready\nuntil [ -e {enough} ]; do sleep 0.02; done\n"
    )
    stub(tmp_path / "stubs", "mpirun", counting)
    environment = os.environ | {
        "PATH": f"{tmp_path / 'stubs'}:{os.environ['PATH']}",
        "HETERODE_INSIDE": "test",
    }
    words = [RUN, "-n", "2", "my.toml"]
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(getattr(signal, f"SIG{name}"))
    assert process.stdout.readline() == f"{name}\n"
    # A second delivery would follow the first at once.
    time.sleep(0.3)
    enough.touch()
    out, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (0, "")


def test_test_script_passes_its_arguments_to_pytest(tmp_path):
    stub(tmp_path / "stubs", "python3", SAY_ARGUMENTS + "; pwd")
    answer = call(
        "-k",
        "a or b",
        program=PROJECT / "scripts" / "test",
        stubs=tmp_path / "stubs",
        cwd=tmp_path,
        HETERODE_INSIDE="test",
    )
    several = "-n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder"
    assert answer.stdout == f"python3 -m pytest {several} -k a or b\n{PROJECT}\n"


@pytest.mark.parametrize("code", [0, 2, 3])
def test_exit_codes_and_stdout_pass_through(userland, code):
    answer = call("--", "sh", "-c", f"echo only this; exit {code}", **userland)
    assert (answer.returncode, answer.stdout, answer.stderr) == (code, "only this\n", "")


def test_userland_keeps_the_folder_and_drops_foreign_libraries(userland, tmp_path):
    show = 'pwd; echo "$PYTHONPATH|$LD_LIBRARY_PATH|$PETSC_DIR|$CONDA_PREFIX|$CC|$PIP_INDEX_URL"'
    answer = call(
        *("--", "sh", "-c", show),
        **userland,
        cwd=tmp_path,
        PYTHONPATH="/foreign",
        LD_LIBRARY_PATH="/foreign",
        PETSC_DIR="/foreign",
        CONDA_PREFIX="/foreign",
        CC="/foreign/cc",
        PIP_INDEX_URL="kept",
    )
    assert answer.stdout == f"{tmp_path}\n{PROJECT}/scripts/setup/path|||||kept\n"


def test_a_second_call_costs_little(userland, tmp_path):
    # What costs are programs that are started: the shell says each line that it executes.
    traced = call("--", "true", **userland, SHELLOPTS="xtrace")
    assert traced.returncode == 0
    lines = [line for line in traced.stderr.splitlines() if re.match(r"\++ ", line)]
    assert 20 < len(lines) < 600
    first_words = {line.lstrip("+").split()[0] for line in lines}
    assert not first_words & {"apt-get", "mmdebstrap", "python3", "pip", "apt-config", "apt-cache"}


def test_no_namespaces_is_one_line_with_the_other_ways(userland):
    # With the venv gone set-up must build, and so asks first whether bwrap works here.
    for venv in userland["HETERODE_CACHE"].glob("venv-*"):
        venv.rmdir()
    stub(userland["stubs"], "bwrap", "echo 'bwrap: not permitted' >&2; exit 1")
    answer = call("--", "true", **userland)
    assert answer.returncode == 1
    (line,) = answer.stderr.splitlines()
    for part in ("namespaces", "not permitted", "environment.yml", "Docker", "Debian 13"):
        assert part in line


@pytest.mark.parametrize("name", ["HETERODE_CACHE", "HETERODE_USE"])
def test_wrong_settings_are_named(name, tmp_path):
    (tmp_path / "file").touch()
    wrong = {"HETERODE_INSIDE": None, name: tmp_path / "file" / "below"}
    answer = call("--", "true", **wrong)
    assert answer.returncode in (1, 2)
    assert name in answer.stderr
    assert answer.stderr.count("\n") == 1


def machine(python_says, tmp_path):
    """The settings for a call on a machine whose python3 prints these lines to set-up."""
    body = f"echo asked >> {tmp_path}/asked\ncat <<'END'\n{python_says}\nEND\n"
    stub(tmp_path / "stubs", "python3", body)
    return {
        "stubs": tmp_path / "stubs",
        "HETERODE_CACHE": tmp_path / "cache",
        "HETERODE_USE": "machine",
        "HETERODE_INSIDE": None,
    }


def test_a_dolfinx_out_of_range_is_refused_with_the_reason(tmp_path):
    settings = machine("python /x\ndolfinx 0.8.0\nproblem heterode needs 0.9 to 0.11", tmp_path)
    answer = call("--", "true", **settings)
    assert answer.returncode == 1
    assert "DOLFINx 0.8.0 cannot serve: heterode needs 0.9 to 0.11" in answer.stderr


def test_the_machine_is_asked_again_only_after_a_change(tmp_path):
    packages = tmp_path / "site-packages"
    packages.mkdir()
    settings = machine(f"python /x\nwatch {packages}", tmp_path)
    asked = tmp_path / "asked"
    for _ in range(2):
        call("--", "true", **settings)
    assert asked.read_text().count("asked") == 1
    later = time.time() + 10
    os.utime(packages, (later, later))
    call("--", "true", **settings)
    assert asked.read_text().count("asked") == 2


@pytest.mark.mpi
def test_the_dolfinx_here_is_found_and_proved(tmp_path):
    settings = {
        "HETERODE_CACHE": tmp_path / "cache",
        "HETERODE_USE": "machine",
        "HETERODE_INSIDE": None,
    }
    answer = call("--", "sh", "-c", "echo here; exit 3", **settings)
    assert (answer.returncode, answer.stdout) == (3, "here\n"), answer.stderr
    assert "self-test" in answer.stderr
    again = call("-n", "2", "--", "heterode-is-not-this", **settings)
    assert "self-test" not in again.stderr


def test_settings_of_pip_find_a_place_in_a_tree_that_lacks_it(tmp_path):
    (tmp_path / "tree" / "etc").mkdir(parents=True)
    script = f"""
        source {SETUP}/enter.sh; source {SETUP}/userland.sh
        tree={tmp_path}/tree arguments=()
        export PIP_CONSTRAINT=/etc/xdg/none.txt PIP_CERT=/etc/passwd PIP_FIND_LINKS=/etc/default
        pip_folders
        printf '%s\\n' "${{arguments[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    bound = done.stdout.split("\n")
    at = bound.index("/etc/passwd")
    assert bound[at - 1 : at + 2] == ["--ro-bind", "/etc/passwd", "/etc/passwd"]
    assert "/etc/xdg/none.txt" not in bound
    assert (tmp_path / "tree/etc/passwd").read_text() == ""
    assert (tmp_path / "tree/etc/default").is_dir()


def test_no_file_of_set_up_names_a_mirror():
    files = [PROJECT / "Dockerfile", PROJECT / "environment.yml", PROJECT / ".ci" / "run"]
    files += [path for path in (PROJECT / "scripts").rglob("*") if path.suffix != ".pyc"]
    for path in files:
        if path.is_file():
            assert not re.search(r"https?://|\.(org|com|net)\b", path.read_text()), path


def test_docker_image_comes_from_the_same_lists():
    text = (PROJECT / "Dockerfile").read_text()
    assert "scripts/setup/packages.txt" in text
    assert "scripts/setup/locks/userland.txt" in text
    assert "--require-hashes" in text
    assert "python3-" not in text


def test_every_way_provides_every_dependency():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    needed = {re.split("[<>=]", item)[0] for item in project["dependencies"]}
    debian = {name.removeprefix("python3-") for name in listed("packages.txt")}
    debian = {"scikit-learn" if name == "sklearn" else name for name in debian}
    pip = {pin.split("==")[0] for pin in listed("requirements.txt")}
    conda = re.findall(r"^  - ([\w-]+)", (PROJECT / "environment.yml").read_text(), re.MULTILINE)
    # python3-dolfinx-real depends on NumPy and python3-matplotlib on Pillow: the Debian list need
    # not name them.
    assert needed - {"numpy", "pillow"} <= debian | pip
    assert needed | {"fenics-dolfinx", "python-gmsh", "pytest"} <= set(conda)


def test_conda_pins_the_tools_as_the_venv_does():
    text = (PROJECT / "environment.yml").read_text()
    for pin in listed("requirements.txt"):
        name = pin.split("==")[0]
        # Checkers judge differently from version to version; a library is only called.
        wanted = pin.replace("==", " =") if name in ("mypy", "ruff") else name
        assert f"- {wanted}\n" in text
