"""A site of a million recordings, made in bulk on PostgreSQL: what the API's benchmark asks about."""

import json
from dataclasses import replace

from sqlalchemy import text

from qa_service.db import documents
from qa_service.db.session import Database
from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import Conversation
from qa_service.domain.metrics import MetricOptions, measure
from qa_service.domain.scoring import Scorecard, ScorecardItem, ScorecardSection, fill
from tests import builders

AGENTS, TEAMS, VENDORS, RULES = 2_000, 100, 10, 10

_STATEMENTS = (
    """INSERT INTO teams (name, vendor, version)
       SELECT 'T' || n, 'V' || n % :vendors, 1 FROM generate_series(0, :teams - 1) AS n""",
    """INSERT INTO agents (agent_id, name, team, vendor, first_call_at, version)
       SELECT 'A' || n, 'agent ' || n, 'T' || n % :teams, 'V' || n % :vendors, timestamptz '2026-01-01', 1
       FROM generate_series(0, :agents - 1) AS n""",
    """INSERT INTO recordings (sha256, path, file_name, blob_uri, size_bytes, duration_s, channels, created_at)
       SELECT lpad(to_hex(n), 64, '0'), 'calls/' || n || '.wav', n || '.wav', 'blob:' || n, 1000, 180, 2,
              timestamptz '2026-01-01' + n * interval '20 seconds'
       FROM generate_series(1, :rows) AS n""",
    """INSERT INTO call_metadata (recording_id, document, digest, version, updated_at)
       SELECT n, (CAST(:told AS jsonb) || jsonb_build_object('agent_id', 'A' || n % :agents, 'call_id', 'c' || n,
              'team', 'T' || n % :agents % :teams, 'vendor', 'V' || n % :agents % :vendors))::json,
              'd', 1, created_at
       FROM (SELECT id AS n, created_at FROM recordings) AS r""",
    """INSERT INTO conversations (stage_key, recording_id, language, duration_s, elapsed_s, document, created_at)
       SELECT 'heard:' || id, id, 'zh', 180, 9, :conversation, created_at FROM recordings ORDER BY id""",
    """INSERT INTO engine_runs (conversation_id, stage, engine, model, revision, device, options)
       SELECT id, 'asr', 'faster-whisper', 'base', '1', 'cpu', '[]' FROM conversations ORDER BY id""",
    """INSERT INTO scorecards (digest, document, created_at) VALUES (:card_digest, CAST(:card AS json), now())""",
    """INSERT INTO evaluations (key, recording_id, conversation_id, pack, ruleset_digest, scorecard,
                                scorecard_digest, score, raw_score, coverage, fatal, sections, metrics, created_at)
       SELECT 'scored:' || id, recording_id, id, 'service-zh', 'd', 'service', :card_digest,
              50 + 50 * random(), 90, 1, false, CAST(:sections AS json), :metrics, created_at
       FROM conversations ORDER BY id""",
    """INSERT INTO latest_evaluations (recording_id, evaluation_id)
       SELECT recording_id, id FROM evaluations ORDER BY recording_id""",
    """INSERT INTO rule_results (evaluation_id, position, rule, title, outcome, severity, reason, scored, evidence)
       SELECT e.id, n, 'rule-' || n, 'Rule ' || n,
              CASE WHEN (e.id * 31 + n * 7) % 40 = 0 THEN 'not_met' ELSE 'met' END,
              CASE n % 3 WHEN 0 THEN 'critical' WHEN 1 THEN 'major' ELSE 'minor' END, '', true,
              '[{"start": 1.0, "end": 3.0, "role": "agent", "quote": "您好"}]'
       FROM evaluations e CROSS JOIN generate_series(0, :rules - 1) AS n ORDER BY e.id, n""",
    """INSERT INTO findings (evaluation_id, rule_result_id, state, version)
       SELECT evaluation_id, id, 'open', 1 FROM rule_results WHERE outcome = 'not_met' ORDER BY id""",
    """INSERT INTO calls (recording_id, at, call_id, agent_id, team, vendor, direction, language, duration_s,
                          evaluation_id, scorecard, score, final_score, coverage, fatal, to_review, worst)
       SELECT r.id, r.created_at, 'c' || r.id, 'A' || r.id % :agents, 'T' || r.id % :agents % :teams,
              'V' || r.id % :agents % :vendors, 'inbound', 'zh', 180, e.id, e.scorecard, e.score, e.score,
              e.coverage, e.fatal, coalesce(f.open, 0), coalesce(f.worst, 0)
       FROM recordings r JOIN evaluations e ON e.recording_id = r.id
       LEFT JOIN (SELECT f.evaluation_id, count(*) AS open,
                         max(CASE x.severity WHEN 'critical' THEN 3 WHEN 'major' THEN 2 ELSE 1 END) AS worst
                  FROM findings f JOIN rule_results x ON x.id = f.rule_result_id GROUP BY f.evaluation_id) f
         ON f.evaluation_id = e.id
       ORDER BY r.id""",
    """INSERT INTO review_items (recording_id, evaluation_id, kind, state, rank, value, due_at, ranked_at,
                                 created_at, inclusion_probability, team, vendor, agent_id, version)
       SELECT recording_id, evaluation_id, 'flagged',
              CASE WHEN recording_id % 4 = 0 THEN 'waiting' ELSE 'done' END, random() * 100,
              worst, at + interval '10 days', at, at, 1, team, vendor, agent_id, 1
       FROM calls WHERE to_review > 0 ORDER BY recording_id""",
)


def fill_site(store: Database, rows: int) -> None:
    """``rows`` recordings, heard and scored by ten rules each, of two thousand agents in a hundred teams."""
    said = _conversation()
    metrics = measure(said, CallMetadata(), MetricOptions())
    card = Scorecard(
        "service",
        0.6,
        (ScorecardSection("s", "Service", tuple(ScorecardItem(f"rule-{n}", 10.0) for n in range(RULES))),),
    )
    card_document, card_digest = documents.dump_scorecard(card)
    told, _ = documents.dump_metadata(CallMetadata())
    values = {
        "rows": rows,
        "agents": AGENTS,
        "teams": TEAMS,
        "vendors": VENDORS,
        "rules": RULES,
        "told": json.dumps(told),
        "conversation": documents.dump_conversation(said),
        "card": json.dumps(card_document),
        "card_digest": card_digest,
        "sections": json.dumps(documents.dump_sections(fill(card, ()).sections)),
        "metrics": documents.dump_metrics(metrics),
    }
    for statement in _STATEMENTS:
        with store.unit_of_work() as unit:
            unit.session.execute(text(statement), {k: v for k, v in values.items() if f":{k}" in statement})
            unit.commit()


def _conversation() -> Conversation:
    """Three minutes of talk in thirty utterances."""
    said = [
        builders.utterance(
            f"您好，这里是客户服务中心，工号{n}，很高兴为您服务，请问有什么可以帮您",
            start=6.0 * n,
            role=builders.AGENT if n % 2 == 0 else builders.CUSTOMER,
        )
        for n in range(30)
    ]
    return replace(builders.conversation(*said, duration_s=180.0))
