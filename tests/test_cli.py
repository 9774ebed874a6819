from __future__ import annotations

import json
import os
import signal
import subprocess
import tomllib
from pathlib import Path

import pytest

from streamcolor.console import errors_as_lines

from films import STREAMCOLOR, Film, Sound, streamcolor


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "film.mkv"
    return Film(pts=range(25), sounds=[Sound(language="fra")], pix_fmt="gray", tags=(1, 1, 1, 1), codec="ffv1").write(
        path
    )


def test_the_end_says_what_was_done(film: Path) -> None:
    done = streamcolor("colorize", film, "--overwrite", "--engine", "onnxruntime")
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    for said in ("film.color.mkv", "25 frames", "frames/s", "libx264 yuv420p", "onnxruntime"):
        assert said in done.stdout


def test_json_is_one_object_with_what_programs_need(film: Path) -> None:
    done = streamcolor("colorize", film, "--overwrite", "--engine", "onnxruntime", "--json")
    report = json.loads(done.stdout)
    assert report["frames"] == 25
    assert report["frames_lost"] == 0
    assert report["fps"] == pytest.approx(25 / report["seconds"])
    assert report["engine"] == "onnxruntime (float32)"
    assert report["model"].startswith("streamcolor-lite0 ")
    assert set(report["stage_seconds"]) == {"decode", "reduce", "engine", "stabilize", "render", "encode"}


def test_quiet_is_quiet(film: Path) -> None:
    done = streamcolor("colorize", film, "--overwrite", "--quiet", "--engine", "onnxruntime")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_errors_go_to_stderr_and_keep_stdout_clean(film: Path) -> None:
    done = streamcolor("colorize", film.with_name("none.mkv"), "--json")
    assert done.returncode == 3
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_wrong_usage_is_exit_code_2(film: Path) -> None:
    assert streamcolor("colorize").returncode == 2
    assert streamcolor("colorize", film, "--no-such-option").returncode == 2
    assert streamcolor("no-such-command").returncode == 2


def test_probe_tells_what_becomes_of_each_stream(film: Path) -> None:
    shown = streamcolor("probe", film).stdout
    assert "copied" in shown
    assert "coloured" in shown
    found = json.loads(streamcolor("probe", film, "--json").stdout)
    assert [stream["fate"] for stream in found["streams"]] == ["coloured", "copied"]
    assert found["streams"][0]["remark"] == "to libx264 yuv420p"
    assert found["losses"] == []
    assert found["streams"][1]["language"] == "fra"
    assert found["frames"] == 25
    assert found["output"].endswith("film.color.mkv")


def test_names_in_brackets_are_shown_as_they_are(tmp_path: Path) -> None:
    sound = Sound(title="Commentary [/i] [director]")
    film = Film(pts=range(3), sounds=[sound]).write(tmp_path / "film [restored].mkv")
    done = streamcolor("colorize", film, "--engine", "onnxruntime")
    assert "film [restored].color.mkv" in done.stdout
    shown = "".join(streamcolor("probe", film).stdout.split())
    assert "[director]" in shown
    assert "[restored]" in shown


def test_doctor_names_versions_engines_and_encoders() -> None:
    done = streamcolor("doctor")
    assert done.returncode == 0
    for said in ("onnxruntime", "openvino", "libx264", "cores", "streamcolor-lite0"):
        assert said in done.stdout


def test_help_explains_every_option_and_exit_code() -> None:
    shown = streamcolor("colorize", "--help").stdout
    options = (
        "--output --engine --model --batch-size --codec --crf --preset --pix-fmt --start --duration --saturation "
        "--overwrite --json --quiet --debug"
    )
    for option in options.split():
        assert option in shown
    assert "Exit codes" in shown


def test_version_is_the_projects() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project["version"] in streamcolor("--version").stdout


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    film = Film(size=(640, 480), pts=range(400)).write(tmp_path / "film.mkv")
    heeded = signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore it
    command = [STREAMCOLOR, "colorize", film, "--engine", "onnxruntime"]
    job = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, heeded)
    try:
        while not any(path.stat().st_size for path in tmp_path.glob(".*.partial.mkv")):
            assert job.poll() is None
        job.send_signal(signal.SIGINT)
        _, said = job.communicate(timeout=60)
    finally:
        job.kill()
    assert job.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["film.mkv"]


def test_an_interrupt_in_disguise_is_one_too(capsys: pytest.CaptureFixture[str]) -> None:
    """As pybind11 raises it where a module's initialization is interrupted."""
    with pytest.raises(SystemExit) as ended, errors_as_lines(debug=False):
        raise ImportError("initialization failed") from KeyboardInterrupt()
    assert ended.value.code == 130
    assert "interrupted" in capsys.readouterr().err


def test_engines_are_measured_and_their_plans_listed(tmp_path: Path) -> None:
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    figures = json.loads(streamcolor("engine", "bench", "--engine", "onnxruntime", "--seconds", 0.5, "--json").stdout)
    assert figures["frames a second"] > 0
    assert (figures["bytes in a frame"], figures["bytes out a frame"]) == (288 * 160, 4 * (2 * 72 * 40 + 32 * 18 * 10))
    listed = json.loads(streamcolor("engine", "list", "--json", env=environment).stdout)
    assert listed == {"folder": str(tmp_path / "streamcolor" / "plans"), "plans": []}
    assert streamcolor("engine", "clear", env=environment).stdout.startswith("0 plans removed")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--gpu", "first", "gpu is 'first', but must be numbers of different GPUs"),
        ("--gpu", "0,0", "must be numbers of different GPUs"),
        ("--hwaccel", "steam", "there is no hwaccel 'steam' here"),
    ],
)
def test_hardware_that_is_none_is_named(tmp_path: Path, option: str, value: str, message: str) -> None:
    film = Film().write(tmp_path / "film.mkv")
    run = streamcolor("colorize", film, option, value)
    assert run.returncode == 2
    assert message in run.stderr
    assert "Traceback" not in run.stderr


def test_no_stabilize_is_stabilize_0(tmp_path: Path) -> None:
    film = Film(codec="ffv1").write(tmp_path / "film.mkv")
    made = []
    for options in (["--no-stabilize"], ["--stabilize", "0"], ["--stabilize", "1"], []):
        output = tmp_path / "out.mkv"
        done = streamcolor("colorize", film, "-o", output, "--overwrite", "--codec", "ffv1", *options)
        assert done.returncode == 0
        made.append(output.read_bytes()[-20_000:])
    assert made[0] == made[1]
    assert len(set(made)) == 3
