"""Wiring of the web process: from settings to services. Nothing is opened before it is needed."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from api.plays import Plays
from api.progress import Followers
from qa_service.adapters.blobs import LocalBlobStore
from qa_service.adapters.buckets import Bucket
from qa_service.adapters.clock import SystemClock
from qa_service.adapters.discovery import raw_format_of
from qa_service.adapters.filename_presets import name_reader
from qa_service.adapters.import_tables import read_table
from qa_service.adapters.listening import CachedListeningCopies
from qa_service.adapters.listening_program import ListeningPrograms
from qa_service.adapters.object_blobs import ObjectBlobStore
from qa_service.adapters.passwords import Argon2Hasher
from qa_service.adapters.reporting.files import ReportFolder
from qa_service.adapters.site_key import site_key
from qa_service.adapters.webhook_client import AllowedAddresses, PinnedClient
from qa_service.db.session import Database
from qa_service.domain.call import CallMetadata
from qa_service.domain.coaching import RuleInfo
from qa_service.ports import BlobStore, Clock
from qa_service.services.accounts import Accounts
from qa_service.services.agent_page import AgentPages
from qa_service.services.approvals import RuleApprovals
from qa_service.services.batch_runs import BatchRuns, Room
from qa_service.services.calibration import Calibration
from qa_service.services.calls import Calls
from qa_service.services.coaching import Coaching
from qa_service.services.coaching_causes import find_causes
from qa_service.services.coaching_effects import CoachingEffects
from qa_service.services.coaching_rounds import CoachingRounds
from qa_service.services.complaints import Complaints
from qa_service.services.directory import Directory
from qa_service.services.disputes import Disputes
from qa_service.services.draft_cases import DraftCases
from qa_service.services.figures import Figures
from qa_service.services.floor import Floor
from qa_service.services.import_kinds import all_kinds
from qa_service.services.imports import Imports
from qa_service.services.kpi import Kpis
from qa_service.services.listening import ListenToCalls
from qa_service.services.plans import Planner
from qa_service.services.promises import Promises
from qa_service.services.quality import RuleQuality
from qa_service.services.reporting.schedules import ReportSchedules
from qa_service.services.reporting.service import Reports
from qa_service.services.review import Review
from qa_service.services.sampling import Sampling
from qa_service.services.script_changes import ScriptChanges
from qa_service.services.sign_in import SignIn
from qa_service.services.training import Training
from qa_service.services.uploads import Uploads
from qa_service.services.vendors import Vendors
from qa_service.services.webhooks import Webhooks
from qa_service.settings import Settings
from qa_service.statistics.agreement import agreement

if TYPE_CHECKING:
    from rules.shelf import Shelf


class Site:
    """The objects of one web process."""

    def __init__(self, settings: Settings, *, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.database = Database(settings.resolved_database_url, clock=self.clock, zone=settings.zone)
        self.units = self.database.unit_of_work
        self.units_to_read = partial(self.database.unit_of_work, read_only=True)
        self.hasher = Argon2Hasher()
        self.plays = Plays()
        self.followers = Followers()

    @cached_property
    def blobs(self) -> BlobStore:
        settings = self.settings
        if settings.blob_url:
            return ObjectBlobStore(Bucket(settings.blob_url), max_blob_bytes=settings.max_file_bytes)
        return LocalBlobStore(settings.data_dir / "blobs")

    @cached_property
    def listening(self) -> ListenToCalls:
        """Recordings are decoded by programs of their own; the first one starts when somebody listens."""
        settings = self.settings
        copies = CachedListeningCopies(
            settings.data_dir / "listening",
            blobs=self.blobs,
            programs=self.listening_programs,
            limits={
                "max_duration_s": settings.max_duration_s,
                "max_file_bytes": settings.max_file_bytes,
                "min_sample_rate_hz": settings.min_sample_rate_hz,
                "max_sample_rate_hz": settings.max_sample_rate_hz,
                "max_tracks": settings.max_tracks,
                "decode_timeout_s": settings.decode_timeout_s,
                "decode_memory_bytes": settings.decode_memory_bytes,
            },
            channel_map=settings.channel_map,
            most_bytes=settings.listening_bytes,
        )
        return ListenToCalls(units=self.units_to_read, copies=copies)

    @cached_property
    def listening_programs(self) -> ListeningPrograms:
        return ListeningPrograms()

    def close(self) -> None:
        """Let go of what was opened."""
        if "listening_programs" in self.__dict__:
            self.listening_programs.close()
        self.database.dispose()

    @cached_property
    def sign_in(self) -> SignIn:
        return SignIn(units=self.units, units_to_read=self.units_to_read, hasher=self.hasher, clock=self.clock)

    @cached_property
    def uploads(self) -> Uploads:
        settings = self.settings
        template = settings.filename_template
        names = name_reader(template, time_zone=settings.zone) if template else None

        def told_by(name: str) -> CallMetadata | None:
            told = names.parse(Path(name)) if names else None
            raw = raw_format_of(Path(name), settings.raw_format)
            return told if raw is None else replace(told or CallMetadata(), raw_format=raw)

        return Uploads(units=self.units, blobs=self.blobs, told_by_name=told_by)

    @cached_property
    def calls(self) -> Calls:
        return Calls(units=self.units)

    @cached_property
    def accounts(self) -> Accounts:
        return Accounts(units=self.units, hasher=self.hasher)

    @cached_property
    def calibration(self) -> Calibration:
        return Calibration(
            units=self.units,
            units_to_read=self.units_to_read,
            measure=lambda answers, scale: agreement(answers, scale=scale),
        )

    @cached_property
    def approvals(self) -> RuleApprovals:
        return RuleApprovals(
            units=self.units,
            units_to_read=self.units_to_read,
            as_shipped=lambda rules: self.shelf.as_shipped(rules),
            may_publish=self.script_changes.may_publish,
        )

    @cached_property
    def draft_cases(self) -> DraftCases:
        from rules.case_writing import CaseWriter  # as for the shelf

        return DraftCases(units=self.units, units_to_read=self.units_to_read, writing=CaseWriter(self.shelf.load))

    @cached_property
    def quality(self) -> RuleQuality:
        return RuleQuality(
            units=self.units,
            units_to_read=self.units_to_read,
            approvals=self.approvals,
            policy=self.settings.quality_policy,
            clock=self.clock,
            zone=self.settings.zone,
        )

    @cached_property
    def figures(self) -> Figures:
        return Figures(
            units=self.units,
            units_to_read=self.units_to_read,
            clock=self.clock,
            zone=self.settings.zone,
            min_calls=self.settings.figures_min_calls,
        )

    @cached_property
    def agent_pages(self) -> AgentPages:
        return AgentPages(
            units=self.units_to_read, figures=self.figures, min_peers=self.settings.figures_min_peers
        )

    @cached_property
    def report_schedules(self) -> ReportSchedules:
        settings = self.settings
        return ReportSchedules(
            units=self.units,
            units_to_read=self.units_to_read,
            reports=self.reports,
            clock=self.clock,
            zone=settings.zone,
            files=ReportFolder(
                settings.data_dir / "reports",
                zone=settings.zone,
                site_url=settings.site_url,
                sender=settings.mail_from,
                titles=self.rule_titles,
            ),
        )

    @cached_property
    def reports(self) -> Reports:
        settings = self.settings
        return Reports(
            units_to_read=self.units_to_read,
            policy=settings.report_policy,
            zone=settings.zone,
            measure_module=lambda who, module: self.coaching_effects.of_module(who, module),
            measure_vendor=lambda who, name, last, months: self.vendors.performance(
                who, name, last=last, months=months
            ),
        )

    @cached_property
    def directory(self) -> Directory:
        return Directory(units=self.units)

    @cached_property
    def coaching_rounds(self) -> CoachingRounds:
        return CoachingRounds(
            units=self.units,
            units_to_read=self.units_to_read,
            clock=self.clock,
            zone=self.settings.zone,
            at=self.settings.coaching_at,
            policy=self.settings.coaching_policy,
            rules=self.rules_known,
            causes=partial(find_causes, policy=self.settings.cause_policy),
        )

    @cached_property
    def coaching(self) -> Coaching:
        return Coaching(
            units=self.units,
            units_to_read=self.units_to_read,
            clock=self.clock,
            calendar=self.settings.calendar,
            due_days=self.settings.coaching_due_days,
            rounds=self.coaching_rounds,
        )

    @cached_property
    def training(self) -> Training:
        return Training(
            units=self.units,
            units_to_read=self.units_to_read,
            clock=self.clock,
            policy=self.settings.training_policy,
        )

    @cached_property
    def script_changes(self) -> ScriptChanges:
        return ScriptChanges(
            units=self.units,
            units_to_read=self.units_to_read,
            clock=self.clock,
            policy=self.settings.training_policy,
        )

    @cached_property
    def coaching_effects(self) -> CoachingEffects:
        return CoachingEffects(
            units_to_read=self.units_to_read,
            clock=self.clock,
            zone=self.settings.zone,
            rules=self.rules_known,
            policy=self.settings.effect_policy,
        )

    def rule_titles(self) -> Mapping[str, str]:
        return {rule: info.title for rule, info in self.rules_known().items()}

    def rules_known(self) -> Mapping[str, RuleInfo]:
        """What coaching knows of the rules that the site scores with."""
        packs = [self.settings.pack_zh, self.settings.pack_en]
        return {info.rule: info for name in reversed(packs) for info in self.shelf.load_used(name).training}

    @cached_property
    def shelf(self) -> "Shelf":
        from rules.shelf import Shelf  # with the sounds of all syllables it takes a second to import

        return Shelf([self.settings.pack_zh, self.settings.pack_en])

    @cached_property
    def batch_runs(self) -> BatchRuns:
        """For asking: what a run wants of each recording, only workers can tell, who fill it."""

        def planner() -> Planner:
            raise AssertionError("the web process fills no runs")

        return BatchRuns(
            units=self.units, planner=planner, room=Room(0, lambda: False), nightly=None, clock=self.clock
        )

    @cached_property
    def review(self) -> Review:
        return Review(
            units=self.units,
            units_to_read=self.units_to_read,
            clock=self.clock,
            claim_s=self.settings.review_claim_s,
        )

    @cached_property
    def disputes(self) -> Disputes:
        return Disputes(
            units=self.units,
            units_to_read=self.units_to_read,
            clock=self.clock,
            terms=self.settings.dispute_terms,
        )

    @cached_property
    def complaints(self) -> Complaints:
        return Complaints(
            units=self.units,
            units_to_read=self.units_to_read,
            clock=self.clock,
            policy=self.settings.complaint_policy,
        )

    @cached_property
    def promises(self) -> Promises:
        return Promises(units=self.units, units_to_read=self.units_to_read, clock=self.clock)

    @cached_property
    def vendors(self) -> Vendors:
        return Vendors(
            units_to_read=self.units_to_read,
            clock=self.clock,
            zone=self.settings.zone,
            policy=self.settings.vendor_policy,
        )

    @cached_property
    def webhooks(self) -> Webhooks:
        settings = self.settings
        return Webhooks(
            units=self.units,
            site_key=lambda: site_key(settings.webhook_key, settings.data_dir),
            check=PinnedClient(AllowedAddresses(settings.webhook_networks)).check,
            clock=self.clock,
        )

    @cached_property
    def floor(self) -> Floor:
        return Floor(
            units_to_read=self.units_to_read,
            clock=self.clock,
            zone=self.settings.zone,
            policy=self.settings.floor_policy,
        )

    @cached_property
    def kpis(self) -> Kpis:
        return Kpis(
            units=self.units,
            units_to_read=self.units_to_read,
            clock=self.clock,
            zone=self.settings.zone,
            calendar=self.settings.calendar,
            policy=self.settings.kpi_policy,
        )

    @cached_property
    def imports(self) -> Imports:
        return Imports(
            units=self.units,
            units_to_read=self.units_to_read,
            read=read_table,
            kinds=all_kinds(zone=self.settings.zone, states=self.settings.agent_states),
        )

    @cached_property
    def sampling(self) -> Sampling:
        return Sampling(
            units=self.units,
            units_to_read=self.units_to_read,
            clock=self.clock,
            zone=self.settings.zone,
            at=self.settings.sampling_at,
            policy=self.settings.review_policy,
        )
