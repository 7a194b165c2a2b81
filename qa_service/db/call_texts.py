"""What was said in calls, for finding it again: masked, folded, and indexed by pairs of characters.

Guarantee: no number and no card code is in it; a text is of the conversation in force, or of the newest one.
"""

import zlib
from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from qa_service.db import documents
from qa_service.db.inserting import storable
from qa_service.db.rows import CallRow, CallTextRow, ConversationRow
from qa_service.domain.conversation import Conversation
from qa_service.domain.masking.card_codes import without_card_codes
from qa_service.domain.masking.masking import mask
from qa_service.domain.text import fold

_BETWEEN: Final = "\n"
"""Utterances: what is looked for holds none, and so never goes over their ends."""

_LOOKED_AT: Final = 500
_WRITTEN: Final = 10


def folded(text: str) -> str:
    """As texts are kept."""
    return fold(text).text


def grams(text: str) -> list[int]:
    """Numbers of the pairs of characters in ``text``, each once; another pair may have the same number."""
    pairs = {text[i : i + 2] for i in range(len(text) - 1)}
    return sorted({zlib.crc32(pair.encode("utf-8", "replace")) - 2**31 for pair in pairs if _BETWEEN not in pair})


def place_text(session: Session, recording_id: int, conversation_id: int, conversation: Conversation) -> None:
    """Keep what is said in ``conversation`` as what the recording is found by."""
    said = mask(without_card_codes(conversation)).conversation.utterances
    text = storable(_BETWEEN.join(utterance.overlay.folded for utterance in said))
    values = {
        "conversation_id": conversation_id,
        "text": text,
        "grams": grams(text) if _has_arrays(session) else None,
    }
    # One statement: two who store the same recording at once do not fail over it.
    insert = postgresql.insert if _has_arrays(session) else sqlite.insert
    session.execute(
        insert(CallTextRow)
        .values(recording_id=recording_id, **values)
        .on_conflict_do_update(index_elements=["recording_id"], set_=values)
    )


def keep_in_step(session: Session, recording_id: int, conversation_id: int) -> None:
    """After an evaluation of ``conversation_id`` came into force."""
    known = session.scalar(select(CallTextRow.conversation_id).where(CallTextRow.recording_id == recording_id))
    if known != conversation_id:
        _place_stored(session, recording_id, conversation_id)


def catch_up(session: Session, after: int) -> int | None:
    """Write some texts that workers of an earlier version left out; the recording to go on after, None at the end.

    It looks at a few hundred recordings and writes a few: sweeps are short.
    """
    rows = session.execute(
        select(CallRow.recording_id, CallTextRow.recording_id)
        .outerjoin(CallTextRow, CallTextRow.recording_id == CallRow.recording_id)
        .where(CallRow.recording_id > after, CallRow.evaluation_id.is_not(None))
        .order_by(CallRow.recording_id)
        .limit(_LOOKED_AT)
    ).all()
    written = 0
    for recording_id, text_of in rows:
        if text_of is None:
            newest = session.scalar(
                select(func.max(ConversationRow.id)).where(ConversationRow.recording_id == recording_id)
            )
            if newest is not None:
                _place_stored(session, recording_id, newest)
            written += 1
            if written == _WRITTEN:
                return recording_id
    return rows[-1][0] if len(rows) == _LOOKED_AT else None


def says(session: Session, text: str) -> ColumnElement[bool]:
    """The condition that a call's row is of a call in which ``text``, folded, is said."""
    found = select(CallTextRow.recording_id).where(CallTextRow.recording_id == CallRow.recording_id)
    if _has_arrays(session):
        found = found.where(CallTextRow.grams.contains(grams(text)), func.strpos(CallTextRow.text, text) > 0)
    else:
        found = found.where(func.instr(CallTextRow.text, text) > 0)
    return found.correlate(CallRow).exists()


def conversations_of(session: Session, recordings: Sequence[int]) -> dict[int, Conversation]:
    """What the recordings are found by, as it was heard."""
    rows = session.execute(
        select(CallTextRow.recording_id, ConversationRow.document)
        .join(ConversationRow, ConversationRow.id == CallTextRow.conversation_id)
        .where(CallTextRow.recording_id.in_(recordings))
    )
    return {recording_id: documents.load_conversation(document) for recording_id, document in rows}


def _place_stored(session: Session, recording_id: int, conversation_id: int) -> None:
    document = session.scalar(select(ConversationRow.document).where(ConversationRow.id == conversation_id))
    if document is None:
        return
    try:
        conversation = documents.load_conversation(document)
    except (zlib.error, ValidationError):  # whoever scores it again is told
        return
    place_text(session, recording_id, conversation_id, conversation)


def _has_arrays(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"
