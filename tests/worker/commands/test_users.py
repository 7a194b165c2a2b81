"""``qa user`` as it is used: accounts, and passwords that come from a terminal or a pipe and from nowhere else."""

import os
import pty
import subprocess
import sys
import time
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from qa_service.adapters.passwords import Argon2Hasher
from qa_service.db.session import Database
from tests.cli import QA, Here, environment, json_lines, refused
from tests.clocks import ManualClock

PASSWORD = "four words in a row"


def piped(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(content)))


def stored_hash(data: Path, name: str) -> str | None:
    database = Database(f"sqlite:///{data / 'qa.db'}", clock=ManualClock())
    with database.unit_of_work(read_only=True) as unit:
        known = unit.users.credentials(name)
    database.dispose()
    assert known is not None
    return known.password_hash


def actions(data: Path) -> list[tuple[str, str]]:
    database = Database(f"sqlite:///{data / 'qa.db'}", clock=ManualClock())
    with database.unit_of_work(read_only=True) as unit:
        found = [(event.action, event.name) for event in unit.audit.page(before=None, limit=9)]
    database.dispose()
    return found


def test_the_first_admin_is_made_with_a_piped_password(
    here: Here, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    piped(monkeypatch, f"{PASSWORD}\nand a second line\n".encode())
    made = here("user", "add", "li.na", "--role", "admin", "--password-stdin", "--format", "json")
    (user,) = json_lines(made.stdout)
    assert (made.returncode, user["roles"], user["has_password"], user["active"]) == (0, ["admin"], True, True)
    assert PASSWORD not in made.stdout + made.stderr
    assert Argon2Hasher().verify(stored_hash(data, "LI.NA"), PASSWORD)
    ((action, who),) = actions(data)
    assert action == "user.create"
    assert who.startswith("qa user (")


def test_the_password_is_asked_for_twice_on_a_terminal(data: Path) -> None:
    assert _on_a_terminal(data, [PASSWORD, PASSWORD + "!"])[0] == 2
    code, said = _on_a_terminal(data, [PASSWORD, PASSWORD])
    assert code == 0, said
    assert PASSWORD not in said, "it is not echoed"
    assert Argon2Hasher().verify(stored_hash(data, "li.na"), PASSWORD)


def _on_a_terminal(data: Path, answers: list[str]) -> tuple[int, str]:
    here, there = pty.openpty()
    process = subprocess.Popen(
        [*QA, "user", "add", "li.na", "--role", "admin"],
        env=environment(data),
        stdin=there,
        stdout=there,
        stderr=there,
        start_new_session=True,  # without the terminal that the tests may have, getpass asks on this one
    )
    os.close(there)
    said, asked = b"", 0
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                said += os.read(here, 1000)
            except OSError:  # the other side is closed
                break
            if asked < len(answers) and said.count(b": ") > asked:
                os.write(here, answers[asked].encode() + b"\n")
                asked += 1
        return process.wait(30), said.decode()
    finally:
        process.kill()
        process.wait()
        os.close(here)


def test_without_a_terminal_nothing_is_guessed(here: Here, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    piped(monkeypatch, PASSWORD.encode())
    assert refused(here("user", "add", "li.na", "--role", "admin")).startswith("password_missing: ")
    assert json_lines(here("user", "list", "--format", "json").stdout) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"", "password_weak"),
        (b"short\n", "password_weak"),
        (b"\xff\xfe four words in a row\n", "password_weak"),
        (b"x" * 1_000_000, "password_weak"),
    ],
)
def test_weak_passwords_are_refused(here: Here, monkeypatch: pytest.MonkeyPatch, given: bytes, said: str) -> None:
    piped(monkeypatch, given)
    assert refused(here("user", "add", "li.na", "--role", "admin", "--password-stdin")).startswith(f"{said}: ")


def test_scopes_fit_roles_and_names_are_names(here: Here) -> None:
    without = ("--no-password",)
    assert refused(here("user", "add", "w", "--role", "leader", *without)).startswith("user_invalid: ")
    assert refused(here("user", "add", "a\nb", "--role", "admin", *without)).startswith("user_invalid: ")
    assert refused(here("user", "add", " ", "--role", "admin", *without)).startswith("user_invalid: ")
    assert here("user", "add", "w", "--role", "king", *without).returncode == 2
    assert here("user", "add", "w", *without).returncode == 2, "no role is the default"
    both = here("user", "add", "w", "--role", "admin", *without, "--password-stdin")
    assert refused(both).startswith("password_missing: ")


def test_accounts_are_listed_and_switched_off(here: Here, data: Path) -> None:
    assert here("user", "add", "li.na", "--role", "admin", "--no-password").returncode == 0
    scope = ("--team", "A", "--team", "B", "--vendor", "V")
    assert here("user", "add", "wang.fang", "--role", "leader", *scope, "--no-password").returncode == 0
    assert "team A, B" in here("user", "list").stdout
    (leader,) = json_lines(here("user", "list", "--role", "leader", "--format", "json").stdout)
    assert leader["scope"] == {"vendor": "V", "teams": ["A", "B"], "agent_id": None}
    off = here("user", "deactivate", "WANG.FANG", "--format", "json")
    assert [user["active"] for user in json_lines(off.stdout)] == [False]
    last = here("user", "deactivate", "li.na")
    assert refused(last, 1).startswith("last_admin: ")
    again = here("user", "add", "Li.Na", "--role", "admin", "--no-password")
    assert refused(again, 1).startswith("user_exists: ")
    assert refused(here("user", "deactivate", "nobody"), 1).startswith("user_not_found: ")


def test_a_new_password(here: Here, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert here("user", "add", "li.na", "--role", "admin", "--no-password").returncode == 0
    assert stored_hash(data, "li.na") is None
    piped(monkeypatch, PASSWORD.encode() + b"\r\n")
    assert here("user", "password", "li.na", "--password-stdin").returncode == 0
    assert Argon2Hasher().verify(stored_hash(data, "li.na"), PASSWORD)
