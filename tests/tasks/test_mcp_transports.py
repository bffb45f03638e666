"""`moonhand mcp` over stdio and HTTP: who gets in, what is printed, and what is left when it ends.

How a session goes is kept in tests/golden; `python tests/tasks/test_mcp_transports.py` writes it anew.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server import Server
from mcp_clients import Person, kept_screen, over, started, words
from moonhand.agent import read_trajectory
from moonhand.tasks.demo import DEMO_FOLDER, DEMO_PAGE, serve_folder
from moonhand.tasks.mcp.transports import PATH, Serve, listen, over_http
from moonhand.tasks.open_screen import ScreenChoice

SESSION = Path(__file__).parent.parent / "golden" / "mcp_session.json"
STEPS = (
    'type "Ada Lovelace" into Full name',
    'type "ada@example.com" into Email',
    'type "{{secret:DEMO}}" into Password',
    "tick I agree to the terms",
    "click Create account",
)
PATIENCE_S = 60.0
NOISY = """
import os, subprocess, threading, time
def print_always():
    while not os.path.sameopenfile(1, 2):
        time.sleep(0.01)
    while True:
        os.write(1, b"library ")
        print("python", flush=True)
        subprocess.run(["echo", "child"])
        time.sleep(0.1)
if os.environ.pop("PYTHONPATH", None):
    threading.Thread(target=print_always, daemon=True).start()
"""


def http_answers(runs: Path, key: str | None, requests: Mapping[str, dict[str, str]]) -> dict[str, int]:
    """The status that each request got, by its name; a request is its headers. And the tools, listed with the key."""
    listener = listen("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}"
    hello = {"jsonrpc": "2.0", "id": 1, "method": "ping"}

    def serve(server: Server[dict[str, Any]]) -> Serve:
        return over_http(server, listener, key)

    async def talk() -> dict[str, int]:
        told: dict[str, int] = {}
        async with httpx2.AsyncClient() as plain:
            for name, headers in requests.items():
                accepted = {"Accept": "application/json, text/event-stream", **headers}
                told[name] = (await plain.post(address, json=hello, headers=accepted)).status_code
        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"} if key else {}) as bearing,
            Client(streamable_http_client(address, http_client=bearing)) as client,
        ):
            told["tools"] = len((await client.list_tools()).tools)
        return told

    with kept_screen(ScreenChoice(url="about:blank"), runs) as kept:
        return over(kept, serve, talk)


def test_only_those_who_bear_the_key_get_in_over_http(tmp_path: Path) -> None:
    wrong = {"none": {}, "other": {"Authorization": "Bearer other"}, "basic": {"Authorization": "s3cret"}}
    told = http_answers(tmp_path, "s3cret", wrong)
    assert told == {"none": 401, "other": 401, "basic": 401, "tools": 5}


def test_a_web_page_of_another_site_does_not_get_in_over_http(tmp_path: Path) -> None:
    pages = {"origin": {"Origin": "https://evil.example"}, "rebound": {"Host": "evil.example"}}
    told = http_answers(tmp_path, None, pages)
    assert told == {"origin": 403, "rebound": 421, "tools": 5}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--http", "0", "--host", "0.0.0.0", "--url", "about:blank"), 2, "give --api-key KEY, or MOONHAND_MCP_KEY"),
        (("--host", "0.0.0.0", "--url", "about:blank"), 2, "--host goes with --http PORT"),
        ((), 2, "choose one screen"),
        (("--url", "about:blank", "--runs", "/proc/runs"), 2, "--runs /proc/runs: /proc cannot be written to"),
        (("--url", "about:blank", "--allow", "a b"), 2, "'a b' is no pattern of origins"),
    ],
)
def test_wrong_flags_are_one_line_on_stderr(arguments: tuple[str, ...], code: int, said: str, tmp_path: Path) -> None:
    from moonhand.tasks.mcp.command import mcp
    from typer import Typer
    from typer.testing import CliRunner

    app = Typer()
    app.command()(mcp)
    left = CliRunner().invoke(app, ["--runs", str(tmp_path), *arguments], env={"MOONHAND_MCP_KEY": ""})
    assert left.exit_code == code
    assert left.stdout == ""
    assert said in left.stderr


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    from moonhand.tasks.mcp.command import mcp
    from typer import Typer
    from typer.testing import CliRunner

    app = Typer()
    app.command()(mcp)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        left = CliRunner().invoke(
            app, ["--url", "about:blank", "--runs", str(tmp_path), "--http", port], env={"MOONHAND_MCP_KEY": ""}
        )
    assert left.exit_code == 3
    assert f"127.0.0.1:{port} cannot be listened on (Address already in use)" in left.stderr


async def session(runs: Path) -> list[dict[str, Any]]:
    """A session of a client with a server in a process of its own, on the bundled sign-up page; with nano."""
    person = Person("accept", allow=True)
    told: list[dict[str, Any]] = []
    told_steps: list[str] = []

    async def watch(progress: float, total: float | None, message: str | None) -> None:
        told_steps.append(f"{progress:g}: {message}")

    with serve_folder(DEMO_FOLDER) as address:
        page = ("--url", address + DEMO_PAGE, "--viewport", "460x420", "--allow", address, "--runs", runs)
        async with Client(started(*page), elicitation_callback=person) as client:

            async def call(tool: str, **given: Any) -> Any:
                told_steps.clear()
                person.asked.clear()
                result = await client.call_tool(tool, given, progress_callback=watch)
                told.append(
                    {
                        "call": {tool: given},
                        "progress": list(told_steps),
                        "asked": list(person.asked),
                        "words": words(result),
                        "data": result.structured_content,
                        "pictures": sum(block.type == "image" for block in result.content),
                        "is_error": result.is_error,
                    }
                )
                return result

            await call("screenshot")
            await call("locate", what="the Email field")
            await call("act", action="type", target="Email", text="ada@", screenshot=True)
            await call("act", action="key", keys=["ctrl", "a"])
            await call("act", action="click")
            await call("act", action="navigate", url="https://elsewhere.example/")
            await call("act", action="reload")
            run = await call("run", steps=list(STEPS))
            await call("replay", folder=run.structured_content["trajectory"])
            await call("replay", folder="../elsewhere")
    return told


def normalised(told: object, runs: Path) -> str:
    """Without what differs from one session to the next: ports, times, paths, places and how sure the model was."""
    text = json.dumps(told, indent=2)
    text = text.replace(str(runs), "RUNS")
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    text = re.sub(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(_\d+)?", "WHEN", text)
    text = re.sub(r'("(?:x_px|y_px|confidence|left_px|top_px)"): [\d.]+', r"\1: 0", text)
    text = re.sub(r"\(\d+, \d+\)", "(X, Y)", text)
    text = re.sub(r"x=[\d.]+, y=[\d.]+", "x=X, y=Y", text)
    text = re.sub(r'"box": \{[^}]*\}', '"box": {}', text)
    text = re.sub(r'"differs_after": \[[^\]]*\]', '"differs_after": []', text)
    return re.sub(r"\d+% confiden", "N% confiden", text) + "\n"


@pytest.mark.slow
def test_a_session_over_stdio_goes_as_it_went(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONHAND_SECRET_DEMO", "correct horse 42")
    told = normalised(asyncio.run(asyncio.wait_for(session(tmp_path / "runs"), PATIENCE_S)), tmp_path / "runs")
    assert "horse" not in told
    assert told == SESSION.read_text()


def requests(*calls: tuple[str, dict[str, Any]]) -> bytes:
    """Lines of a client of the handshake era."""
    client = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}}
    messages: list[dict[str, Any]] = [
        {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
    ]
    for number, (name, given) in enumerate(calls, 1):
        params = {"name": name, "arguments": given, "_meta": {"progressToken": number}}
        messages.append({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def children_of(process_id: int) -> set[int]:
    """All below it that live."""
    parents = {int(path.parent.name): path for path in Path("/proc").glob("[0-9]*/stat")}
    found, size = {process_id}, 0
    while size != len(found):
        size = len(found)
        for child, path in parents.items():
            try:
                state, parent = path.read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if int(parent) in found and state != "Z":
                found.add(child)
    return found - {process_id}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ending", "code"), [("stdin", 0), (signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["closed", "SIGTERM", "SIGINT"]
)
def test_a_server_that_ends_in_the_middle_of_a_run_leaves_nothing_behind(
    ending: Any, code: int, tmp_path: Path
) -> None:
    command = started("--url", "about:blank", "--runs", tmp_path)
    with subprocess.Popen(
        [command.command, *command.args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=command.env,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stderr is not None
        server.stdin.write(requests(("run", {"steps": ["press shift", "wait 100"]})))
        server.stdin.flush()
        lines = [json.loads(server.stdout.readline()) for _ in range(2)]
        assert lines[1]["method"] == "notifications/progress"
        browser = children_of(server.pid)
        assert browser
        time.sleep(0.2)
        started_s = time.monotonic()
        if ending == "stdin":
            server.stdin.close()
        else:
            server.send_signal(ending)
        rest = server.stdout.read()
        assert server.wait(10) == code
        assert time.monotonic() - started_s < 5
        assert all(json.loads(line)["jsonrpc"] == "2.0" for line in rest.splitlines())
        assert b"Traceback" not in server.stderr.read()
    deadline_s = time.monotonic() + 5
    while (left := {child for child in browser if Path(f"/proc/{child}").exists()}) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert not left
    (run,) = (path.parent for path in tmp_path.glob("*/run.json"))
    result = read_trajectory(run).result
    assert result is not None
    assert result.status == "stopped"


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["stdin", signal.SIGTERM], ids=["closed", "SIGTERM"])
def test_a_client_that_does_not_read_keeps_no_server_alive(ending: Any, tmp_path: Path) -> None:
    command = started("--url", "about:blank", "--runs", tmp_path)
    with subprocess.Popen(
        [command.command, *command.args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=command.env,
    ) as server:
        assert server.stdin is not None
        server.stdin.write(requests(*[("screenshot", {"max_px": 1000})] * 300))  # more than a pipe holds
        server.stdin.flush()
        time.sleep(4)
        assert server.poll() is None
        if ending == "stdin":
            server.stdin.close()
        else:
            server.send_signal(ending)
        assert server.wait(10) in (0, 143)


def test_standard_output_is_the_protocol_alone_whatever_prints(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(NOISY)
    command = started("--url", "about:blank", "--runs", tmp_path / "runs", PYTHONPATH=str(tmp_path))
    with subprocess.Popen(
        [command.command, *command.args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=command.env,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stderr is not None
        server.stdin.write(requests(("screenshot", {})))
        server.stdin.flush()
        lines = [server.stdout.readline() for _ in range(2)]
        server.stdin.close()
        lines += server.stdout.read().splitlines()
        noise = server.stderr.read()
    assert [json.loads(line)["id"] for line in lines] == [0, 1]
    assert {b"library", b"python", b"child"} <= set(noise.split())


if __name__ == "__main__":
    os.environ["MOONHAND_SECRET_DEMO"] = "correct horse 42"
    with TemporaryDirectory() as folder:
        SESSION.write_text(normalised(asyncio.run(session(Path(folder))), Path(folder)))
