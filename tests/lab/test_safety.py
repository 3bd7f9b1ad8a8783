"""Only the person who started the lab gets an answer, and nobody gets more than is theirs."""

import re
import socket
import tempfile
from pathlib import Path

import pytest

from torchlinear.errors import InvalidInput
from torchlinear.lab import safety, server
from torchlinear.lab.safety import Guard, is_loopback, new_token
from torchlinear.lab.serving import listen

ROUTES = [
    ("GET", ""),
    ("GET", "static/index.html"),
    ("GET", "api/session"),
    ("POST", "api/data"),
    ("POST", "api/upload?name=a.csv"),
    ("POST", "api/points"),
    ("POST", "api/runs"),
    ("DELETE", "api/runs/x"),
    ("GET", "api/runs/x/events"),
    ("GET", "api/runs/x/code"),
    ("GET", "api/runs/x/report"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("prefix", ["/", "/wrong-token/", "//", "/static/"])
def test_without_the_token_every_route_is_forbidden(site, method: str, path: str, prefix: str) -> None:
    with site.send(method, prefix + path, b"{}" if method == "POST" else None) as response:
        assert response.status == 403
        assert b"token" in response.read()


def test_a_part_of_the_token_or_the_token_as_a_parameter_is_not_the_token(site) -> None:
    for path in (f"/{site.token[:-1]}/", f"/{site.token}x/", f"/?token={site.token}", f"/a/{site.token}/"):
        with site.send("GET", path) as response:
            assert response.status == 403


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:80",
        "evil@127.0.0.1",
        "",
        "192.168.1.2",
        "[::2]",
    ],
)
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_foreign_host_is_refused_even_with_the_token(site, host: str, method: str, path: str) -> None:
    answer = site.ask(method, path, b"{}" if method == "POST" else None, {"Host": host})
    assert answer.status == 400


def test_a_request_with_two_hosts_or_none_is_refused(site) -> None:
    for hosts in ("", "Host: 127.0.0.1\r\nHost: 127.0.0.1\r\n"):
        with socket.create_connection(site.address.split(":"), timeout=10) as wire:
            wire.sendall(f"GET /{site.token}/ HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n".encode())
            assert wire.recv(100).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:1", "[::1]:8080", "127.0.0.1:65535"])
def test_this_machine_by_its_own_names_is_answered(site, host: str) -> None:
    assert site.ask("GET", "api/session", headers={"Host": host}).status == 200


def test_what_a_foreign_page_makes_the_browser_send_is_refused(site) -> None:
    body = {"kind": "tutorial"}
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        assert site.ask("POST", "api/data", body, {"Origin": origin}).status == 403
    assert site.ask("POST", "api/data", body, {"Origin": f"http://{site.address}"}).status == 200


@pytest.mark.parametrize(
    ("method", "path", "host"),
    [("GET", "", None), ("GET", "api/session", None), ("GET", "no-such-file", None), ("GET", "", "evil.example"),
     ("PUT", "api/data", None), ("GET", "api/runs/x/code", None)],
)  # fmt: skip
def test_every_answer_forbids_the_browser_to_load_from_elsewhere(site, method, path, host) -> None:
    headers = site.ask(method, path, headers={"Host": host} if host else None).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Set-Cookie"] is None
    assert headers["Access-Control-Allow-Origin"] is None


def test_the_page_has_nothing_that_the_policy_forbids(site) -> None:
    page = site.ask("GET", "").body.decode()
    assert not re.findall(r"<script(?![^>]*\ssrc=)", page)
    assert not re.findall(r"<style|\sstyle=|\son\w+=|https?://|javascript:", page)


def test_a_declared_length_above_the_limit_is_refused_before_any_of_it_is_read(site) -> None:
    head = f"POST /{site.token}/api/upload?name=a.csv HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200001\r\n\r\n"
    with socket.create_connection(site.address.split(":"), timeout=10) as wire:
        wire.sendall(head.encode())
        assert wire.recv(100).startswith(b"HTTP/1.1 413")


def test_an_upload_above_the_limit_is_refused_while_it_comes_in(site, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    head = f"POST /{site.token}/api/upload?name=a.csv HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"c350\r\n" + b"1,2,3,4\r\n"[:8] * 6250 + b"\r\n"  # 50,000 bytes
    with socket.create_connection(site.address.split(":"), timeout=10) as wire:
        wire.sendall(head.encode() + 5 * chunk)  # 250,000 bytes, and no end
        answer = wire.recv(10_000)
        while b"}}" not in answer and (more := wire.recv(10_000)):  # head and body may come apart
            answer += more
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"200,000 bytes" in answer
    assert list(tmp_path.iterdir()) == []


def test_an_upload_at_the_limit_is_taken_and_leaves_no_file_behind(site, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    content = (b"a,b\n" + b"1,2\n3,5\n" * 25_000)[:200_000]
    assert site.upload("exact.csv", content).status == 200
    assert site.upload("damaged.parquet", b"PAR1 no table").status == 422
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["..%2Fa.csv", "%2Fetc%2Fpasswd.csv", "C:%5Ca.csv", "a%00.csv", "a%0A.csv", "", ".", 201 * "a" + ".csv"],
)
def test_no_place_on_this_machine_is_taken_from_the_browser(site, name: str) -> None:
    assert site.upload(name, b"a,b\n1,2\n").status == 400


@pytest.mark.parametrize(
    "name",
    ["../server.py", "..%2fserver.py", "%2e%2e/server.py", "..\\server.py", "/etc/passwd", "//etc/passwd",
     str(Path(server.__file__)), "js/../../server.py", "", ".", "index.html%00.js"],
)  # fmt: skip
def test_only_files_of_the_page_are_served(site, name: str) -> None:
    assert site.ask("GET", f"static/{name}").status == 404


def test_a_body_that_is_no_json_object_is_refused(site) -> None:
    for body in (b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'"kind"'):
        assert site.ask("POST", "api/data", body).status == 400
    assert site.ask("POST", "api/data", b" " * (safety.JSON_LIMIT + 1)).status == 413


def test_other_hosts_than_loopback_are_refused_unless_that_is_meant() -> None:
    for host in ("0.0.0.0", "::", "example.invalid", "192.0.2.1"):
        assert not is_loopback(host)
        with pytest.raises(InvalidInput, match="--unsafe-host"):
            listen(host)
    place = listen("0.0.0.0", unsafe=True)
    place.listener.close()
    assert not place.local


def test_an_open_host_answers_addresses_and_its_own_name_but_no_foreign_name() -> None:
    guard = Guard(app=None, token="t", host="0.0.0.0")  # type: ignore[arg-type]
    for host, taken in {
        "192.0.2.7:80": True, "[2001:db8::1]:80": True, socket.gethostname(): True, "localhost": True,
        "evil.example": False, "192.0.2.7.evil.example": False,
    }.items():  # fmt: skip
        assert guard._ours(host) is taken, host


def test_the_port_is_free_and_the_token_new_each_time() -> None:
    places = [listen() for _ in range(5)]
    assert len({place.listener.getsockname() for place in places}) == 5
    assert len({place.token for place in places}) == 5
    assert {place.listener.getsockname()[0] for place in places} == {"127.0.0.1"}
    for place in places:
        place.listener.close()
    assert len(new_token()) >= 43  # 256 bits


def test_a_port_that_is_taken_is_said() -> None:
    place = listen()
    with pytest.raises(InvalidInput, match="Leave --port out"):
        listen(port=place.listener.getsockname()[1])
    place.listener.close()
