"""Results in S3, against a server that speaks its protocol, on loopback: DVC's remote of a finished tree."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from diffbench.base.digests import sha256

MISSING = [name for name in ("boto3", "dvc_s3", "moto") if find_spec(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} is not installed: uv sync"),
]

BUCKET = "results"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of an S3 server with one empty bucket."""
    import boto3

    address = f"http://127.0.0.1:{(port := free_port())}"
    program = Path(sys.executable).parent / "moto_server"
    with subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(address)
            boto3.client("s3", endpoint_url=address, **_client_keys()).create_bucket(Bucket=BUCKET)
            yield address
        finally:
            server.send_signal(signal.SIGTERM)


def _client_keys() -> dict[str, str]:
    return {
        "aws_access_key_id": KEYS["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": KEYS["AWS_SECRET_ACCESS_KEY"],
        "region_name": KEYS["AWS_DEFAULT_REGION"],
    }


def _wait_for(address: str) -> None:
    for _ in range(600):
        with suppress(OSError), urllib.request.urlopen(address, timeout=5):
            return
        time.sleep(0.1)
    raise AssertionError(f"no server answers at {address}")


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys of the server, where a user's shell has them."""
    for name, value in KEYS.items():
        monkeypatch.setitem(os.environ, name, value)


def test_a_clone_that_pulls_from_s3_has_nothing_to_do(finished, tmp_path, endpoint, keys):
    finished.run("git", "init", "--quiet")
    finished.run("git", "add", "-A")
    finished.run("git", "commit", "--quiet", "-m", "start")
    finished.run("dvc", "repro")
    finished.run("dvc", "remote", "add", "--default", "store", f"s3://{BUCKET}/dvc")
    finished.run("dvc", "remote", "modify", "store", "endpointurl", endpoint)
    finished.run("git", "add", "-A")
    finished.run("git", "commit", "--quiet", "-m", "results")
    finished.run("dvc", "push")

    finished.run("git", "clone", "--quiet", str(finished.root), str(tmp_path / "clone"))
    clone = type(finished)(tmp_path / "clone")
    assert not (clone.root / "results/table2.csv").exists()
    clone.run("dvc", "pull")
    for name in ("table2.csv", "models/ddpm/train0/weights.safetensors"):
        assert sha256(clone.root / "results" / name) == sha256(finished.root / "results" / name)
    assert clone.nothing_to_do("results/table2.csv")
