"""Wiring: from settings to services. Nothing is opened or loaded before it is needed."""

from collections.abc import Callable, Mapping
from functools import cache, cached_property, lru_cache, partial
from pathlib import Path

from qa_service import __version__
from qa_service.adapters.blobs import LocalBlobStore
from qa_service.adapters.buckets import Bucket
from qa_service.adapters.clock import SystemClock
from qa_service.adapters.disks import disk_of
from qa_service.adapters.file_views import DISK
from qa_service.adapters.import_tables import read_table
from qa_service.adapters.metadata_sources import MetadataOptions, MetadataSources
from qa_service.adapters.object_blobs import ObjectBlobStore
from qa_service.adapters.passwords import Argon2Hasher
from qa_service.adapters.processes import is_dead, owner_name
from qa_service.adapters.reporting.files import ReportFolder
from qa_service.adapters.reports import ReportSender
from qa_service.adapters.site_key import known_site_key
from qa_service.adapters.source_bucket import BucketSource
from qa_service.adapters.source_folder import FolderSource, table_at
from qa_service.adapters.traces import JobTracer
from qa_service.adapters.webhook_client import AllowedAddresses, PinnedClient
from qa_service.db.session import Database
from qa_service.domain.coaching import RuleInfo
from qa_service.errors import EngineError
from qa_service.observability import JobLog
from qa_service.observing import Observers
from qa_service.ports import BlobStore, Clock, RuleEvaluator
from qa_service.ports.sources import Source
from qa_service.services.accounts import Accounts
from qa_service.services.aftercare import Aftercare
from qa_service.services.approvals import RuleApprovals
from qa_service.services.backtest import Backtest
from qa_service.services.batch_runs import BatchRuns, Nightly, Room
from qa_service.services.coaching_causes import find_causes
from qa_service.services.coaching_effects import CoachingEffects
from qa_service.services.coaching_rounds import CoachingRounds
from qa_service.services.collect import Collector
from qa_service.services.collecting import Means
from qa_service.services.complaint_watch import ComplaintWatch
from qa_service.services.duty import Duty
from qa_service.services.evaluate import EvaluateConversation
from qa_service.services.figures import Figures
from qa_service.services.fitness import ALWAYS_FIT, Fitness, at_most_each, recordings_are_here
from qa_service.services.floor import Floor
from qa_service.services.import_kinds import all_kinds
from qa_service.services.imports import Imports
from qa_service.services.ingest import Ingest
from qa_service.services.jobs import BatchLimits, ScoreRecordings
from qa_service.services.kpi import Kpis
from qa_service.services.plans import Planner
from qa_service.services.process import HearRecording
from qa_service.services.promise_watch import PromiseWatch
from qa_service.services.quality import RuleQuality
from qa_service.services.reporting.schedules import ReportSchedules
from qa_service.services.reporting.service import Reports
from qa_service.services.review import QueueOrder
from qa_service.services.sampling import Sampling
from qa_service.services.script_changes import ScriptChanges
from qa_service.services.upkeep import SWEEP_EVERY_S, Upkeep
from qa_service.services.vendors import Vendors
from qa_service.services.webhooks import Deliveries
from qa_service.settings import Settings
from rules.engine import RuleSet
from rules.loader import find_pack, load_pack, shipped_packs
from rules.versions import same_as

_GPU_LIMITS = BatchLimits(calls=32, audio_s=120 * 60.0)


class Container:
    """The objects of one process. Make it after forking: it holds database connections."""

    member = "worker.member"
    """The module that worker processes run."""

    embedded_member = "worker.embedded"
    """The same for ``qa worker --embedded``."""

    sweep_every_s = SWEEP_EVERY_S

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.owner = owner_name()
        self.clock: Clock = SystemClock()
        """By which files of sources settle."""
        traces = JobTracer.of_environment()
        self.observer = Observers([JobLog(traced=bool(traces)), *ReportSender.of_environment(), *traces])

    @cached_property
    def database(self) -> Database:
        database = Database(self.settings.resolved_database_url, clock=SystemClock(), zone=self.settings.zone)
        database.upgrade()
        return database

    @cached_property
    def blobs(self) -> BlobStore:
        settings = self.settings
        if settings.blob_url:
            return ObjectBlobStore(Bucket(settings.blob_url), max_blob_bytes=settings.max_file_bytes)
        return LocalBlobStore(settings.data_dir / "blobs")

    @cached_property
    def ingest(self) -> Ingest:
        return Ingest(units=self.database.unit_of_work, blobs=self.blobs)

    @property
    def metadata_options(self) -> MetadataOptions:
        settings = self.settings
        return MetadataOptions(
            time_zone=settings.zone,
            filename_template=settings.filename_template,
            leg_suffixes=settings.leg_suffixes,
            raw_format=settings.raw_format,
            cdr_contexts=settings.cdr_contexts,
        )

    @cached_property
    def hear(self) -> HearRecording:
        try:
            from worker.hearing import hear_recording
        except ImportError as error:
            raise EngineError(
                "engine_missing", f"{error.name or error} is not installed: install the extra 'speech'"
            ) from error
        return hear_recording(self.settings, units=self.database.unit_of_work, blobs=self.blobs)

    @cached_property
    def evaluate(self) -> EvaluateConversation:
        return EvaluateConversation(
            units=self.database.unit_of_work,
            load_pack=pack,
            pack_by_language={"zh": self.settings.pack_zh, "en": self.settings.pack_en},
            approvals=self.approvals,
            review=self.settings.review_policy,
        )

    @cached_property
    def approvals(self) -> RuleApprovals:
        database = self.database
        return RuleApprovals(
            units=database.unit_of_work,
            units_to_read=partial(database.unit_of_work, read_only=True),
            as_shipped=as_shipped,
            may_publish=self.script_changes.may_publish,
        )

    @cached_property
    def script_changes(self) -> ScriptChanges:
        return ScriptChanges(
            units=self.database.unit_of_work,
            units_to_read=partial(self.database.unit_of_work, read_only=True),
            clock=self.clock,
            policy=self.settings.training_policy,
        )

    @cached_property
    def accounts(self) -> Accounts:
        return Accounts(units=self.database.unit_of_work, hasher=Argon2Hasher())

    @cached_property
    def backtest(self) -> Backtest:
        return Backtest(
            units=partial(self.database.unit_of_work, read_only=True),
            digest_in_force=self.evaluate.digest_in_force,
        )

    @cached_property
    def jobs(self) -> ScoreRecordings:
        """For who is given recordings and tells what becomes of them, whoever is to blame."""
        return self._score_recordings(ALWAYS_FIT)

    @cached_property
    def duty(self) -> Duty:
        """For workers."""
        fitness = Fitness((self._recordings_are_here, self._load_packs, self.hear.rehearse))
        return Duty(
            jobs=self._score_recordings(fitness),
            upkeep=self.upkeep,
            batch_runs=self.batch_runs,
            fitness=fitness,
            chores=(
                self.quality.look_after,
                self.queue_order.look_after,
                self.sampling.look_after,
                self.aftercare.look_after,
                self.complaint_watch.look_after,
                self.coaching_rounds.look_after,
                self.promise_watch.look_after,
                self.deliveries.look_after,
                self.figures.look_after,
                self.report_schedules.look_after,
            ),
            sweep_every_s=self.sweep_every_s,
        )

    def _recordings_are_here(self) -> None:
        recordings_are_here(self.database.unit_of_work, self.blobs)

    def _load_packs(self) -> None:
        self.evaluate.selection_digest(None)

    def _score_recordings(self, fitness: Fitness) -> ScoreRecordings:
        return ScoreRecordings(
            units=self.database.unit_of_work,
            hear=self.hear,
            evaluate=self.evaluate,
            owner=self.owner,
            lease_s=self.settings.lease_s,
            limits=self.limits,
            prepare_ahead=self.hear.on_gpu,
            fitness=fitness,
            observer=self.observer,
        )

    @cached_property
    def deliveries(self) -> Deliveries:
        settings = self.settings
        return Deliveries(
            units=self.database.unit_of_work,
            units_to_read=partial(self.database.unit_of_work, read_only=True),
            client=PinnedClient(AllowedAddresses(settings.webhook_networks)),
            site_key=lambda: known_site_key(settings.webhook_key, settings.data_dir),
            clock=self.clock,
            sender=f"qa-service/{__version__}",
        )

    @cached_property
    def batch_runs(self) -> BatchRuns:
        settings = self.settings
        return BatchRuns(
            units=self.database.unit_of_work,
            planner=lambda: Planner(hear=self.hear, evaluate=self.evaluate),
            room=Room(settings.queue_limit, self._has_space),
            nightly=Nightly(settings.nightly_at, settings.zone) if settings.nightly_at is not None else None,
            clock=SystemClock(),
        )

    def _has_space(self) -> bool:
        try:
            return disk_of(self.settings.data_dir).free_bytes >= self.settings.min_free_bytes
        except OSError:  # whoever writes there will say what is wrong
            return True

    @cached_property
    def quality(self) -> RuleQuality:
        return RuleQuality(
            units=self.database.unit_of_work,
            units_to_read=partial(self.database.unit_of_work, read_only=True),
            approvals=self.approvals,
            policy=self.settings.quality_policy,
            clock=self.clock,
            zone=self.settings.zone,
        )

    @cached_property
    def figures(self) -> Figures:
        return Figures(
            units=self.database.unit_of_work,
            units_to_read=partial(self.database.unit_of_work, read_only=True),
            clock=self.clock,
            zone=self.settings.zone,
            min_calls=self.settings.figures_min_calls,
        )

    @cached_property
    def report_schedules(self) -> ReportSchedules:
        settings = self.settings
        return ReportSchedules(
            units=self.database.unit_of_work,
            units_to_read=partial(self.database.unit_of_work, read_only=True),
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
        return Reports(
            units_to_read=partial(self.database.unit_of_work, read_only=True),
            policy=self.settings.report_policy,
            zone=self.settings.zone,
            measure_module=lambda who, module: self.coaching_effects.of_module(who, module),
            measure_vendor=lambda who, name, last, months: self.vendors.performance(
                who, name, last=last, months=months
            ),
        )

    @cached_property
    def vendors(self) -> Vendors:
        return Vendors(
            units_to_read=partial(self.database.unit_of_work, read_only=True),
            clock=self.clock,
            zone=self.settings.zone,
            policy=self.settings.vendor_policy,
        )

    @cached_property
    def coaching_effects(self) -> CoachingEffects:
        return CoachingEffects(
            units_to_read=partial(self.database.unit_of_work, read_only=True),
            clock=self.clock,
            zone=self.settings.zone,
            rules=self.rules_known,
            policy=self.settings.effect_policy,
        )

    @cached_property
    def coaching_rounds(self) -> CoachingRounds:
        return CoachingRounds(
            units=self.database.unit_of_work,
            units_to_read=partial(self.database.unit_of_work, read_only=True),
            clock=self.clock,
            zone=self.settings.zone,
            at=self.settings.coaching_at,
            policy=self.settings.coaching_policy,
            rules=self.rules_known,
            causes=partial(find_causes, policy=self.settings.cause_policy),
        )

    def rule_titles(self) -> Mapping[str, str]:
        return {rule: info.title for rule, info in self.rules_known().items()}

    def rules_known(self) -> Mapping[str, RuleInfo]:
        """What coaching knows of the rules that the site scores with."""
        packs = [self.settings.pack_zh, self.settings.pack_en]
        return {info.rule: info for name in reversed(packs) for info in pack(name).training}

    @cached_property
    def queue_order(self) -> QueueOrder:
        return QueueOrder(units=self.database.unit_of_work, policy=self.settings.review_policy)

    @cached_property
    def floor(self) -> Floor:
        return Floor(
            units_to_read=partial(self.database.unit_of_work, read_only=True),
            clock=self.clock,
            zone=self.settings.zone,
            policy=self.settings.floor_policy,
        )

    @cached_property
    def kpis(self) -> Kpis:
        return Kpis(
            units=self.database.unit_of_work,
            units_to_read=partial(self.database.unit_of_work, read_only=True),
            clock=self.clock,
            zone=self.settings.zone,
            calendar=self.settings.calendar,
            policy=self.settings.kpi_policy,
        )

    @cached_property
    def imports(self) -> Imports:
        return Imports(
            units=self.database.unit_of_work,
            units_to_read=partial(self.database.unit_of_work, read_only=True),
            read=read_table,
            kinds=all_kinds(zone=self.settings.zone, states=self.settings.agent_states),
        )

    @cached_property
    def sampling(self) -> Sampling:
        return Sampling(
            units=self.database.unit_of_work,
            units_to_read=partial(self.database.unit_of_work, read_only=True),
            clock=self.clock,
            zone=self.settings.zone,
            at=self.settings.sampling_at,
            policy=self.settings.review_policy,
        )

    @cached_property
    def complaint_watch(self) -> ComplaintWatch:
        return ComplaintWatch(
            units=self.database.unit_of_work,
            units_to_read=partial(self.database.unit_of_work, read_only=True),
            clock=self.clock,
            policy=self.settings.complaint_policy,
        )

    @cached_property
    def promise_watch(self) -> PromiseWatch:
        return PromiseWatch(
            units=self.database.unit_of_work,
            units_to_read=partial(self.database.unit_of_work, read_only=True),
            clock=self.clock,
            policy=self.settings.promise_policy,
        )

    @cached_property
    def aftercare(self) -> Aftercare:
        return Aftercare(
            units=self.database.unit_of_work,
            units_to_read=partial(self.database.unit_of_work, read_only=True),
            looks=(self.complaint_watch.look_at, self.promise_watch.look_at),
            clock=self.clock,
        )

    @cached_property
    def upkeep(self) -> Upkeep:
        return Upkeep(
            units=self.database.unit_of_work,
            is_dead=is_dead,
            clock=SystemClock(),
            review=self.settings.review_policy,
            observer=self.observer,
        )

    @cached_property
    def collector(self) -> Collector:
        settings = self.settings
        table = settings.source_metadata
        sources = [source_of(name) for name in settings.sources]
        means = Means(
            units=self.database.unit_of_work,
            units_to_read=partial(self.database.unit_of_work, read_only=True),
            ingest=self.ingest,
            jobs=self.jobs,
            clock=self.clock,
            sources={source.name: source for source in sources},
            told_by=self._told_by,
            given_table=lambda: table_at(table) if table else None,
            settle_s=settings.settle_s,
            max_file_bytes=settings.max_file_bytes,
            has_space=self._has_space,
            at_night=settings.nightly_at is not None,
        )
        return Collector(
            means,
            owner=self.owner,
            is_dead=is_dead,
            every_s=settings.collect_every_s,
            ready=at_most_each(60.0, self._recordings_are_here),
        )

    def _told_by(self, source: Source, warn: Callable[[str], None]) -> MetadataSources:
        files = source if isinstance(source, BucketSource) else DISK
        return MetadataSources(self.metadata_options, self.settings.source_metadata, warn, files=files)

    @property
    def limits(self) -> BatchLimits:
        """Of a batch: on a CPU more calls at once gain little, and wait longer for their answers."""
        usual = _GPU_LIMITS if self.hear.on_gpu else BatchLimits()
        return BatchLimits(
            self.settings.batch_calls or usual.calls, self.settings.batch_minutes * 60 or usual.audio_s
        )


def source_of(name: str) -> Source:
    """The source that a part of ``QA_SOURCES`` names."""
    return BucketSource(Bucket(name)) if name.startswith("s3://") else FolderSource(Path(name))


@lru_cache(maxsize=16)
def pack(name: str) -> RuleSet:
    """A compiled pack, once a process. Raises RulePackError."""
    return load_pack(find_pack(name))


@cache
def _shipped() -> tuple[str, ...]:
    return tuple(shipped_packs())


def as_shipped(rules: RuleEvaluator) -> frozenset[str]:
    """Rules that are a shipped pack's, unchanged. Of a pack that is shipped itself no other needs to be read."""
    names = sorted(_shipped(), key=lambda name: name != rules.pack)
    return same_as(rules.versions, [lambda name=name: pack(name).versions for name in names])  # type: ignore[misc]
