"""``qa user``: accounts. The first admin is made here; there is no default account and no default password.

Guarantee: a password is never an argument, which other accounts of the machine could read, and never printed.
"""

import json
import os
import pwd
import sys
from getpass import getpass
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from qa_service.domain.access import Role, Scope
from qa_service.errors import ConfigurationError, InputError, NotFoundError
from qa_service.ports.people import User
from qa_service.services.sign_in import MAX_PASSWORD_CHARACTERS
from qa_service.settings import load_settings
from worker.commands.formats import ListFormat
from worker.container import Container
from worker.render import console, printable

_PAGE: Final = 200
_MAX_LINE_BYTES: Final = 4 * MAX_PASSWORD_CHARACTERS + 2

user_app = typer.Typer(no_args_is_help=True, help="Accounts of people and programs.")

Name = Annotated[str, typer.Argument(help="The name to sign in with.", show_default=False)]
Stdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input.")
]
Format = Annotated[ListFormat, typer.Option("--format", help="What stdout gets.")]


@user_app.command()
def add(
    name: Name,
    role: Annotated[list[Role], typer.Option(help="May be given several times.", show_default=False)],
    display_name: Annotated[str, typer.Option(help="As people see it; default: the name.")] = "",
    vendor: Annotated[str | None, typer.Option(help="Only this vendor's calls.")] = None,
    team: Annotated[
        list[str] | None, typer.Option(help="Only this team's calls; may be given several times.")
    ] = None,
    agent: Annotated[str | None, typer.Option(help="Only the calls of this agent number.")] = None,
    password_stdin: Stdin = False,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="For tokens alone, until a password is set.")
    ] = False,
    output: Format = ListFormat.TABLE,
) -> None:
    """Make an account; the password is asked for, twice."""
    if no_password and password_stdin:
        raise ConfigurationError(
            "password_missing", "--no-password and --password-stdin contradict each other: give one of them"
        )
    container = Container(load_settings())
    user = container.accounts.create(
        who_asks(),
        name,
        roles=role,
        scope=Scope(vendor, frozenset(team) if team else None, agent),
        display_name=display_name,
        password=None if no_password else _password(password_stdin),
    )
    _tell([user], output)


@user_app.command("list")
def list_users(
    role: Annotated[Role | None, typer.Option(help="Only who holds this role.")] = None,
    output: Format = ListFormat.TABLE,
) -> None:
    """List accounts."""
    container = Container(load_settings())
    found: list[User] = []
    with container.database.unit_of_work(read_only=True) as unit:
        while page := unit.users.page(after=found[-1].id if found else 0, limit=_PAGE, role=role):
            found += page
    _tell(found, output)


@user_app.command()
def password(name: Name, password_stdin: Stdin = False) -> None:
    """Set a password; it is asked for, twice. Every session of the account ends."""
    container = Container(load_settings())
    user = _named(container, name)
    container.accounts.set_password(who_asks(), user.id, _password(password_stdin))
    typer.echo(f"{printable(user.name)} has a new password", err=True)


@user_app.command()
def deactivate(name: Name, output: Format = ListFormat.TABLE) -> None:
    """Switch an account off: its sessions and tokens end at once, what it decided stays."""
    container = Container(load_settings())
    user = _named(container, name)
    _tell([container.accounts.change(who_asks(), user.id, version=user.version, active=False)], output)


def _named(container: Container, name: str) -> User:
    with container.database.unit_of_work(read_only=True) as unit:
        known = unit.users.credentials(name)
    if known is None:
        raise NotFoundError("user_not_found", f"there is no user {name}: list them with qa user list")
    return known.user


def who_asks(command: str = "qa user") -> str:
    """For the audit trail: the account of the machine, which is all that is known here."""
    try:
        account = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's number without a name
        account = str(os.getuid())
    return f"{command} ({account})"


def _password(from_stdin: bool) -> str:
    """Raises ConfigurationError ``password_missing``, InputError ``password_weak``."""
    if from_stdin:
        line = sys.stdin.buffer.readline(_MAX_LINE_BYTES).removesuffix(b"\n").removesuffix(b"\r")
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise InputError("password_weak", "the password is not UTF-8: write it in UTF-8") from error
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "password_missing", "there is no terminal to ask for the password on: pipe it in with --password-stdin"
        )
    first = getpass("Password: ")
    if getpass("Again: ") != first:
        raise ConfigurationError("password_missing", "the two passwords differ: try again")
    return first


def _tell(users: list[User], output: ListFormat) -> None:
    if output is ListFormat.JSON:
        for user in users:
            typer.echo(json.dumps(_document(user), ensure_ascii=False))
        return
    table = Table("id", "name", "called", "roles", "calls of", "active", "password")
    for user in users:
        table.add_row(
            str(user.id),
            Text(printable(user.name)),
            Text(printable(user.display_name)),
            ", ".join(sorted(user.roles)),
            Text(printable(_scope(user.scope))),
            "yes" if user.active else "no",
            "yes" if user.has_password else "no",
        )
    console().print(table)


def _scope(scope: Scope) -> str:
    parts = []
    if scope.vendor is not None:
        parts.append(f"vendor {scope.vendor}")
    if scope.teams is not None:
        parts.append("team " + ", ".join(sorted(scope.teams)))
    if scope.agent_id is not None:
        parts.append(f"agent {scope.agent_id}")
    return "; ".join(parts) or "everybody"


def _document(user: User) -> dict[str, object]:
    teams = None if user.scope.teams is None else sorted(user.scope.teams)
    return {
        "id": user.id,
        "name": user.name,
        "display_name": user.display_name,
        "roles": sorted(user.roles),
        "scope": {"vendor": user.scope.vendor, "teams": teams, "agent_id": user.scope.agent_id},
        "active": user.active,
        "has_password": user.has_password,
        "created_at": user.created_at.isoformat(),
    }
