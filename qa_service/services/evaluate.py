"""The scoring stage: a stored conversation becomes an evaluation. Needs no audio.

Guarantee: keyed by conversation, metadata, rule set and which of its rules are live; the same inputs find the same
evaluation. Rules that are not live are recorded and never scored. The call joins the review queue in the same
transaction.
"""

from collections.abc import Callable, Mapping

from qa_service.domain.call import CallMetadata
from qa_service.domain.metrics import measure
from qa_service.domain.queueing import ReviewPolicy
from qa_service.domain.scoring import fill
from qa_service.errors import InputError
from qa_service.observing import Laps
from qa_service.ports import RuleEvaluator, StoredConversation, StoredEvaluation, UnitOfWorkFactory
from qa_service.services.approvals import RuleApprovals, scored_digest
from qa_service.services.keys import stage_key
from qa_service.services.webhooks import tell_of_evaluation

# Raised whenever metrics or scoring would answer otherwise for the same conversation, metadata and rules.
SCORING_REVISION = 2


class EvaluateConversation:
    """``pack_by_language`` names the pack for each language; ``load_pack`` compiles one (and may cache it);
    ``approvals`` knows which rules may score, ``review`` which calls people look at."""

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        load_pack: Callable[[str], RuleEvaluator],
        pack_by_language: Mapping[str, str],
        approvals: RuleApprovals,
        review: ReviewPolicy | None = None,
    ) -> None:
        self._units = units
        self._review = review or ReviewPolicy()
        self._load_pack = load_pack
        self._pack_by_language = pack_by_language
        self._approvals = approvals
        self._noted: set[str] = set()

    def selection_digest(self, pack: str | None) -> str:
        """Digest of the rules that would be used: of ``pack``, or of those that the language chooses between."""
        names = [pack] if pack else sorted(self._pack_by_language.values())
        return stage_key("rules", digests=[self._digest(self._load_pack(name)) for name in names])

    def digest_in_force(self, language: str) -> str | None:
        """Digest of the rules that calls of this language are scored by; None without a pack for it."""
        name = self._pack_by_language.get(language)
        return None if name is None else self._digest(self._load_pack(name))

    def _digest(self, rules: RuleEvaluator) -> str:
        return scored_digest(rules, self._approvals.not_live(rules))

    def keys(self, pack: str | None) -> Callable[[str, str, CallMetadata], str | None]:
        """Tells the key of an evaluation by the rules of now, of a conversation's stage key and language and of
        metadata. None without a pack for the language."""
        digests: dict[str, str] = {}

        def key(stage_key: str, language: str, metadata: CallMetadata) -> str | None:
            name = self._name(language, pack)
            if name is None:
                return None
            if name not in digests:
                digests[name] = self._digest(self._load_pack(name))
            return _key(stage_key, metadata, digests[name])

        return key

    def _name(self, language: str, pack: str | None) -> str | None:
        return pack or self._pack_by_language.get(language)

    def evaluate(
        self,
        stored: StoredConversation,
        metadata: CallMetadata,
        *,
        pack: str | None = None,
        laps: Laps | None = None,
    ) -> StoredEvaluation:
        """Score with ``pack``, or with the pack of the conversation's language; ``laps`` gets the times.

        Raises:
            InputError: ``language_unsupported``.
        """
        conversation = stored.conversation
        name = self._name(conversation.language, pack)
        if name is None:
            known = ", ".join(self._pack_by_language)
            raise InputError(
                "language_unsupported",
                f"no rule pack for language {conversation.language!r} (there is {known}): name one with --pack",
            )
        rules = self._load_pack(name)
        with self._units() as unit:
            not_live = self._approvals.not_live(rules, unit)
            digest = scored_digest(rules, not_live)
            key = _key(stored.stage_key, metadata, digest)
            known_evaluation = unit.evaluations.by_key(key)
            if known_evaluation is not None:
                unit.evaluations.ask_for(known_evaluation, scorecard=rules.scorecard)
                unit.review.place(known_evaluation.recording_id, self._review)
                unit.commit()
        if known_evaluation is not None:
            return known_evaluation
        laps = Laps() if laps is None else laps
        with laps.of("rules"):
            metrics = measure(conversation, metadata, rules.metric_options)
            results = rules.evaluate(conversation, metrics, metadata, not_live=not_live.keys())
            evaluation = fill(rules.scorecard, results)
        with laps.of("store"), self._units() as unit:
            if digest not in self._noted:
                unit.rule_versions.note(digest, rules.versions)
            saved = unit.evaluations.add(
                key,
                conversation=stored,
                pack=rules.pack,
                ruleset_digest=digest,
                evaluation=evaluation,
                results=results,
                metrics=metrics,
                scorecard=rules.scorecard,
            )
            unit.review.place(saved.recording_id, self._review)
            tell_of_evaluation(unit, saved)
            unit.commit()
        self._noted.add(digest)
        return saved


def _key(conversation: str, metadata: CallMetadata, rules: str) -> str:
    return stage_key("score", revision=SCORING_REVISION, conversation=conversation, metadata=metadata, rules=rules)
