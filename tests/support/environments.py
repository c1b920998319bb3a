"""The wheel, and virtual environments that hold it and nothing of what development needs."""

import re
import subprocess
import sys
from pathlib import Path

__all__ = ["ROOT", "build_wheel", "constraints", "make_environment", "run"]

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a command that has to succeed, and return what it wrote."""
    ran = subprocess.run(command, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def constraints() -> str:
    """Return the locked versions with their conditions, so that what is published tomorrow changes no test."""
    lock = (ROOT / "requirements/dev.txt").read_text("utf-8")
    return "\n".join(re.findall(r"^[A-Za-z0-9_.-]+==[^\\\n]+", lock, re.MULTILINE))


def build_wheel(target: Path) -> Path:
    """Build the wheel from the working tree by the build backend itself, which needs no network."""
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", target)
    (built,) = target.glob("consentkit-*.whl")
    return built


def make_environment(directory: Path, *wanted: str) -> Path:
    """Make a virtual environment with packages in their locked versions, and return its interpreter."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "constraints.txt").write_text(constraints())
    run(UV, "venv", "--quiet", "--python", sys.executable, directory / "venv")
    interpreter = directory / "venv" / "bin" / "python"
    install = (UV, "pip", "install", "--quiet", "--python", interpreter)
    run(*install, "-c", directory / "constraints.txt", *wanted)
    return interpreter
