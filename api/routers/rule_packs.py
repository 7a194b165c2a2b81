"""Rule packs: what they hold, which versions of their rules score, and what would change."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from api.access import Asking, AskingContext, operation
from api.rule_work import in_a_process
from api.schemas import rules as schemas
from api.schemas.rules import (
    BacktestModel,
    BacktestRequest,
    PackInFull,
    PackList,
    PackSummary,
    PublishRequest,
    RetireRequest,
    RuleModel,
    ScorecardList,
    ScorecardModel,
    SentPack,
    StepRequest,
    StepsModel,
    TestResult,
    TransitionList,
    TransitionModel,
    ValidPack,
)
from api.versions import IfMatch
from qa_service.domain.access import Permission
from qa_service.domain.masking.masking import mask_reference
from qa_service.errors import (
    ConflictError,
    InputError,
    NotFoundError,
    PermissionDeniedError,
    RulePackError,
)
from qa_service.ports import UnitOfWork
from qa_service.services.approvals import Also, Steps

router = APIRouter(tags=["rules"])

PackId = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[^/\x00]+$")]


@operation(router, "GET", "/rule-packs", Permission.RULES_READ)
def list_rule_packs(asking: Asking) -> PackList:
    """Shipped packs, and those that the site scores with."""
    return PackList(items=[_summary(asking, pack, where) for pack, where in asking.site.shelf.names().items()])


@operation(router, "GET", "/scorecards", Permission.RULES_READ)
def list_scorecards(asking: Asking) -> ScorecardList:
    """The scorecard of each pack that can be used."""
    cards = []
    for pack in asking.site.shelf.names():
        try:
            cards.append(ScorecardModel.of(pack, asking.site.shelf.load(pack).scorecard))
        except RulePackError:  # the list of packs says what is wrong with it
            continue
    return ScorecardList(items=cards)


@operation(
    router, "POST", "/rule-packs/validate", Permission.RULES_TEST, errors=(413, 503), response_model=ValidPack
)
def validate_pack(asking: Asking, sent: SentPack) -> Any:  # noqa: ARG001 - who asks is known, and that is all
    """What is wrong with a pack, as 422 with the place of each fault; else what was probably not meant."""
    _check_files(sent.files)
    return in_a_process("validate", {"files": sent.files})


@operation(
    router, "POST", "/rule-packs/test", Permission.RULES_TEST, errors=(404, 413, 503), response_model=TestResult
)
def test_pack(asking: Asking, sent: schemas.TestRequest) -> Any:
    """Run the cases of a pack."""
    if (sent.pack is None) == (sent.files is None):
        raise InputError("pack_missing", "a test is of a pack that is there or of one that is sent: give one")
    if sent.files is not None:
        _check_files(sent.files)
    folder = None if sent.pack is None else str(asking.site.shelf.folder(_known(asking, sent.pack)))
    return in_a_process("test", {"files": sent.files, "folder": folder, "only": sent.rules})


@operation(router, "GET", "/rule-packs/{pack}", Permission.RULES_READ, errors=(404,))
def get_rule_pack(asking: Asking, response: Response, pack: PackId) -> PackInFull:
    """A pack with the state of each rule; its ETag is needed to approve and publish what it says."""
    rules = asking.site.shelf.load(_known(asking, pack))
    states = asking.site.approvals.states(rules)
    digests = {version.rule: version for version in rules.versions}
    response.headers["ETag"] = f'"{rules.digest}"'
    return PackInFull(
        pack=pack,
        language=rules.language,
        digest=rules.digest,
        rules=[
            RuleModel(
                rule=rule.rule,
                title=rule.title,
                severity=rule.severity,
                digest=digests[rule.rule].digest,
                scored=digests[rule.rule].counts,
                state=states.get(rule.rule),
            )
            for rule in sorted(rules.rules, key=lambda rule: rule.rule)
        ],
        scorecard=ScorecardModel.of(pack, rules.scorecard),
    )


@operation(router, "GET", "/rule-packs/{pack}/history", Permission.RULES_READ, errors=(404,))
def rule_pack_history(asking: Asking, pack: PackId) -> TransitionList:
    """Who approved, published and retired what, the oldest first."""
    return TransitionList.of(asking.site.approvals.history(_own_id(asking, pack)))


@operation(router, "POST", "/rule-packs/{pack}/approve", Permission.RULES_APPROVE, errors=(404, 409, 412, 428))
def approve_rules(asking: Asking, pack: PackId, sent: StepRequest, if_match: IfMatch = None) -> StepsModel:
    """Say that rules, as they are now, may go live. It is signed with the name of who asks."""
    rules = _seen(asking, pack, if_match)
    return _told(
        asking.site.approvals.approve(
            rules,
            by=asking.who.name,
            note=sent.note,
            only=sent.rules,
            also=_noted(asking, "approve", pack),
        )
    )


@operation(router, "POST", "/rule-packs/{pack}/publish", Permission.RULES_APPROVE, errors=(404, 409, 412, 428))
def publish_rules(asking: Asking, pack: PackId, sent: PublishRequest, if_match: IfMatch = None) -> StepsModel:
    """Let approved rules score. What was live of them until now is retired."""
    rules = _seen(asking, pack, if_match)
    return _told(
        asking.site.approvals.publish(
            rules,
            by=asking.who.name,
            note=sent.note,
            only=sent.rules,
            override=sent.override,
            also=_noted(asking, "publish", pack),
        )
    )


@operation(router, "POST", "/rule-packs/{pack}/retire", Permission.RULES_APPROVE, errors=(404, 409))
def retire_rules(asking: Asking, pack: PackId, sent: RetireRequest) -> StepsModel:
    """Take rules that were published out of scoring, whatever the pack's files say by now."""
    return _told(
        asking.site.approvals.retire(
            _own_id(asking, pack),
            by=asking.who.name,
            note=sent.note,
            only=sent.rules,
            also=_noted(asking, "retire", pack),
        )
    )


@operation(
    router,
    "POST",
    "/rule-packs/{pack}/backtest",
    Permission.RULES_TEST,
    errors=(404, 503),
    response_model=BacktestModel,
)
def backtest_pack(asking: Asking, pack: PackId, sent: BacktestRequest) -> Any:
    """What would change if a pack were in force, on stored calls. For accounts that reach every call."""
    if not asking.who.scope.is_everything:
        raise PermissionDeniedError(
            "outside_scope", "a backtest looks at calls of everybody: ask somebody whose account reaches all"
        )
    if sent.since and sent.until and sent.since >= sent.until:
        raise InputError("date_invalid", "no time lies between `since` and `until`: give `since` before `until`")
    settings, shelf = asking.site.settings, asking.site.shelf
    report = in_a_process(
        "backtest",
        {
            "database_url": settings.resolved_database_url,
            "in_use": {"zh": settings.pack_zh, "en": settings.pack_en},
            "pack": shelf.where(_known(asking, pack)),
            "against": None if sent.against is None else shelf.where(_known(asking, sent.against)),
            "since": sent.since and sent.since.isoformat(),
            "until": sent.until and sent.until.isoformat(),
            "sample": sent.sample,
        },
    )
    for flip in report["flips"]:
        flip["before"], flip["after"] = flip.pop("from"), flip.pop("to")
    _mask(report, sees_numbers=asking.who.may(Permission.NUMBERS_READ))
    with asking.site.units() as unit:
        detail = {"calls": report["calls"], "against": sent.against}
        unit.audit.record(asking.who, "rules.backtest", "rule_pack", pack, detail, origin=asking.origin)
        unit.commit()
    return report


def _check_files(files: Mapping[str, str]) -> None:
    """What can be told without a process of its own."""
    from rules.uploads import check_names  # as slow to import as all of rules, and not asked for at the start

    check_names(files)


def _mask(report: dict[str, Any], *, sees_numbers: bool) -> None:
    """File names without folders; without the right to see numbers no quotes either: what stands around a quote,
    by which a number would be known, is not here."""
    for sample in [*(s for flip in report["flips"] for s in flip["samples"]), *report["fatal"]["samples"]]:
        name = sample["path"].rpartition("/")[2]
        sample["path"] = name if sees_numbers else mask_reference(name)
        if not sees_numbers:
            for one in sample["evidence"]:
                one["quote"] = ""


def _known(asking: AskingContext, pack: str) -> str:
    if pack not in asking.site.shelf.names():
        raise NotFoundError("pack_unknown", "there is no such rule pack: list the packs to see which exist")
    return pack


def _own_id(asking: AskingContext, pack: str) -> str:
    """By which its history is kept: the id in its file, also when two packs have the same."""
    try:
        return asking.site.shelf.load(_known(asking, pack)).pack
    except RulePackError:  # faults do not hide what was done
        return pack


def _seen(asking: AskingContext, pack: str, if_match: str | None) -> Any:
    """The pack as it is, if that is what was seen: nobody signs what they have not read."""
    rules = asking.site.shelf.load(_known(asking, pack))
    if if_match is None:
        raise InputError("precondition_required", "no If-Match header: send it with the ETag of the pack")
    if if_match.strip() not in ("*", f'"{rules.digest}"', f'W/"{rules.digest}"'):
        raise ConflictError("stale_version", "the pack's files have changed since they were read: read it again")
    return rules


def _summary(asking: AskingContext, pack: str, where: str) -> PackSummary:
    settings = asking.site.settings
    in_use = [language for language, name in (("zh", settings.pack_zh), ("en", settings.pack_en)) if name == where]
    shipped = asking.site.shelf.is_shipped(pack)
    try:
        rules = asking.site.shelf.load(pack)
    except RulePackError as error:
        return PackSummary(
            pack=pack, shipped=shipped, in_use_for=in_use, language=None, digest=None, rules=0, fault=error.code
        )
    return PackSummary(
        pack=pack,
        shipped=shipped,
        in_use_for=in_use,
        language=rules.language,
        digest=rules.digest,
        rules=len(rules.rules),
        fault=None,
    )


def _told(steps: Steps) -> StepsModel:
    return StepsModel(
        taken=[TransitionModel.model_validate(step) for step in steps.taken],
        already=list(steps.already),
        left=list(steps.left),
    )


def _noted(asking: AskingContext, step: str, pack: str) -> Also:
    def also(unit: UnitOfWork, steps: Steps) -> None:
        detail = {"rules": sorted({step.rule for step in steps.taken})}
        unit.audit.record(asking.who, f"rules.{step}", "rule_pack", pack, detail, origin=asking.origin)

    return also
