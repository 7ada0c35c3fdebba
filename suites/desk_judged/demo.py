"""The demo with a judge, from the judge's weights to the report: tox -e demo-judge

    python suites/desk_judged/demo.py [--labels 60] [options of harness run]

Serves the judge on loopback (`transformers serve`), calibrates it, runs the suite, and ends the
server. What was asked before is known: started again, it goes on where it was.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import judge
import labels

HERE = Path(__file__).parent
PATIENCE_S = 300.0


@contextmanager
def served() -> Iterator[None]:
    weights = judge.weights()
    home = weights.parent / "served"
    # Without its folder the server's list of models is an internal error.
    (home / "hub").mkdir(parents=True, exist_ok=True)
    named = home / judge.NAME
    if not named.exists():
        named.symlink_to(weights, target_is_directory=True)
    # It takes the model's folder for its name: relative, so that it is the same everywhere.
    tool = Path(sys.executable).absolute().with_name("transformers")
    command = [tool, "serve", judge.NAME, "--port", str(judge.port()), "--host", "127.0.0.1"]
    command += ["--log-level", "error"]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(home)}
    process = subprocess.Popen([str(part) for part in command], env=env, cwd=home)
    try:
        _await(process)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _await(process: subprocess.Popen[bytes]) -> None:
    begun = time.monotonic()
    while time.monotonic() < begun + PATIENCE_S:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{judge.port()}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise SystemExit(f"The judge's server did not come up (exit code {process.poll()}).")


def main() -> int:
    options = sys.argv[1:]
    n = 60
    if options[:1] == ["--labels"]:
        n, options = int(options[1]), options[2:]
    file = Path("runs") / "desk_judged" / "labels.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    labels.write(file, n)
    harness = [sys.executable, "-m", "harness"]
    with served():
        calibrate = [*harness, "judge", "calibrate", str(HERE), "--labels", str(file)]
        code = subprocess.run(calibrate, check=False).returncode
        if code != 0:
            return code
        return subprocess.run([*harness, "run", str(HERE), *options], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
