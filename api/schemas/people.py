"""Users, sessions, tokens and audit events."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from api.schemas.base import Moment, Name, Sent, Shown, ShownTime
from qa_service.domain.access import Permission, Role, Scope
from qa_service.ports.people import AuditEvent, Token, User

Password = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class ScopeModel(Sent):
    """Whose calls: those for which all that is set holds; nothing set: every call."""

    vendor: Name | None = None
    teams: Annotated[list[Name] | None, Field(max_length=200)] = None
    agent_id: Name | None = None

    def scope(self) -> Scope:
        return Scope(self.vendor, None if self.teams is None else frozenset(self.teams), self.agent_id)

    @staticmethod
    def of(scope: Scope) -> "ScopeModel":
        teams = None if scope.teams is None else sorted(scope.teams)
        return ScopeModel(vendor=scope.vendor, teams=teams, agent_id=scope.agent_id)


class SignInRequest(Sent):
    model_config = ConfigDict(json_schema_extra={"example": {"name": "li.na", "password": "four words in a row"}})

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    password: Password


class Me(Shown):
    """Who asks, and what they may."""

    user_id: int
    name: str
    roles: list[Role]
    scope: ScopeModel
    permissions: list[Permission]


class NewUser(Sent):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "wang.fang",
                "display_name": "王芳",
                "roles": ["leader"],
                "scope": {"teams": ["A"]},
                "password": "four words in a row",
            }
        }
    )

    name: Name
    display_name: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    roles: Annotated[list[Role], Field(min_length=1, max_length=8)]
    scope: ScopeModel = ScopeModel()
    password: Password | None = Field(default=None, description="Without one the account is for tokens alone")


class UserChange(Sent):
    """What is given is changed."""

    model_config = ConfigDict(json_schema_extra={"example": {"active": False}})

    display_name: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] | None = None
    roles: Annotated[list[Role], Field(min_length=1, max_length=8)] | None = None
    scope: ScopeModel | None = None
    active: bool | None = None


class NewPassword(Sent):
    model_config = ConfigDict(json_schema_extra={"example": {"password": "four words in a row"}})

    password: Password


class UserModel(Shown):
    id: int
    name: str
    display_name: str
    roles: list[Role]
    scope: ScopeModel
    active: bool
    has_password: bool
    version: int
    created_at: ShownTime
    updated_at: ShownTime

    @staticmethod
    def of(user: User) -> "UserModel":
        return UserModel(
            id=user.id,
            name=user.name,
            display_name=user.display_name,
            roles=sorted(user.roles),
            scope=ScopeModel.of(user.scope),
            active=user.active,
            has_password=user.has_password,
            version=user.version,
            created_at=user.created_at,
            updated_at=user.updated_at,
        )


class NewToken(Sent):
    """``permissions``: what it may at most; it never may more than its owner."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "nightly export",
                "permissions": ["recordings:read", "recordings:export"],
                "expires_at": "2027-06-30T00:00:00Z",
            }
        }
    )

    name: Name
    permissions: Annotated[list[Permission], Field(min_length=1, max_length=64)]
    expires_at: Moment
    user_id: Annotated[int, Field(ge=1, le=2**53 - 1)] | None = Field(
        default=None, description="Its owner, for who manages users; without it yourself"
    )


class TokenModel(Shown):
    id: int
    user_id: int
    name: str
    permissions: list[Permission]
    created_at: ShownTime
    expires_at: ShownTime
    used_at: ShownTime | None
    revoked_at: ShownTime | None
    replaced_by: int | None

    @staticmethod
    def of(token: Token) -> "TokenModel":
        return TokenModel(**_token(token))


class IssuedToken(TokenModel):
    """``secret`` is told this once."""

    secret: str

    @staticmethod
    def with_secret(token: Token, secret: str) -> "IssuedToken":
        return IssuedToken(**_token(token), secret=secret)


class AuditEventModel(Shown):
    id: int
    at: ShownTime
    user_id: int | None
    name: str
    via: str
    action: str
    thing: str
    thing_id: str
    detail: dict[str, Any]
    address: str
    request_id: str

    @staticmethod
    def of(event: AuditEvent) -> "AuditEventModel":
        return AuditEventModel.model_validate(event)


def _token(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "user_id": token.user_id,
        "name": token.name,
        "permissions": sorted(token.permissions),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "used_at": token.used_at,
        "revoked_at": token.revoked_at,
        "replaced_by": token.replaced_by,
    }
