"""What is asked of a recording as a job, and whether there is anything to do.

Guarantee: the same work has the same key, whoever asks for it: `qa score`, a batch run, two of them at once.
"""

from collections.abc import Callable
from datetime import datetime

from qa_service.domain.batch_runs import BatchKind, BatchRun
from qa_service.domain.call import CallMetadata, Recording
from qa_service.ports import Job, JobRequest
from qa_service.ports.batches import Candidate
from qa_service.services.evaluate import EvaluateConversation
from qa_service.services.keys import stage_key
from qa_service.services.process import HearRecording

SCORE, RESCORE = "score-recording", "rescore-recording"
"""Kinds of jobs: a recording is heard, if that is not stored, and scored; what is stored is scored again."""

AUTO = ""  # the payload's word for: the pack of the conversation's language
_ANEW = "anew"  # the payload's word for: what was heard before this moment does not count

Plan = Callable[[Candidate], JobRequest | None]


class Planner:
    """Makes requests of what is to be done."""

    def __init__(self, *, hear: HearRecording, evaluate: EvaluateConversation) -> None:
        self._hear = hear
        self._evaluate = evaluate

    def score(self, recording: Recording, metadata: CallMetadata, pack: str | None) -> JobRequest:
        """Hear the recording, if that is not stored, and score it."""
        return self._score(recording, metadata, pack, self._evaluate.selection_digest(pack))

    def of(self, run: BatchRun) -> Plan:
        """Tells, of a recording, what a batch run wants of it; None: nothing, it is as it should be.

        Which rules are in force is asked once: make another plan for every page.
        """
        pack = run.selection.pack
        rules = self._evaluate.selection_digest(pack)
        evaluation_key = self._evaluate.keys(pack)
        anew = run.created_at if run.selection.force else None

        def is_current(one: Candidate) -> bool:
            heard = one.heard
            if heard is None or heard.evaluation_key is None or anew is not None:
                return False
            return heard.evaluation_key == evaluation_key(heard.stage_key, heard.language, one.metadata)

        def rescore(one: Candidate) -> JobRequest | None:
            if one.heard is None or is_current(one):
                return None
            key = stage_key(RESCORE, conversation=one.heard.stage_key, metadata=one.metadata, rules=rules)
            return JobRequest(RESCORE, key, one.recording.id, {"pack": pack or AUTO})

        def score(one: Candidate) -> JobRequest | None:
            if (
                one.heard is not None
                and is_current(one)
                and one.heard.stage_key == self._hear.key(one.recording, one.metadata)
            ):
                return None
            return self._score(one.recording, one.metadata, pack, rules, anew)

        return rescore if run.kind is BatchKind.RESCORE else score

    def _score(
        self,
        recording: Recording,
        metadata: CallMetadata,
        pack: str | None,
        rules: str,
        anew: datetime | None = None,
    ) -> JobRequest:
        inputs = {"speech": self._hear.key(recording, metadata), "metadata": metadata, "rules": rules}
        payload = {"pack": pack or AUTO}
        if anew is not None:
            inputs[_ANEW] = anew
            payload[_ANEW] = anew.isoformat()
        return JobRequest(SCORE, stage_key(SCORE, **inputs), recording.id, payload)


def heard_anew_since(job: Job) -> datetime | None:
    """The moment before which nothing counts that was heard of the job's recording."""
    moment = job.payload.get(_ANEW)
    return None if moment is None else datetime.fromisoformat(moment)
