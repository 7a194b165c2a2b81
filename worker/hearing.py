"""What hears, put together from settings. Apart from the other wiring: it needs the extra ``speech``, and a
machine that serves the API or keeps the store goes without."""

from models.audio.decoder import RecordingDecoder
from models.audio.limits import AudioLimits
from models.channels.inspector import SignalInspector
from models.registry import diarizer, transcriber
from models.roles.cues import CueOptions, ScriptCues
from models.text.normalise import PinyinAnnotator
from models.vad.silero import SileroVad
from qa_service.adapters.machine import cpu_cores
from qa_service.domain.alignment import AlignmentOptions
from qa_service.ports import BlobStore, UnitOfWorkFactory
from qa_service.services.process import HearRecording
from qa_service.settings import Settings


def hear_recording(settings: Settings, *, units: UnitOfWorkFactory, blobs: BlobStore) -> HearRecording:
    """Models are loaded when the first recording is heard, not here."""
    return HearRecording(
        units=units,
        blobs=blobs,
        decoder=RecordingDecoder(
            limits=AudioLimits(
                max_duration_s=settings.max_duration_s,
                max_file_bytes=settings.max_file_bytes,
                min_sample_rate_hz=settings.min_sample_rate_hz,
                max_sample_rate_hz=settings.max_sample_rate_hz,
                max_tracks=settings.max_tracks,
                decode_timeout_s=settings.decode_timeout_s,
                decode_memory_bytes=settings.decode_memory_bytes,
            ),
            channel_map=settings.channel_map,
        ),
        inspector=SignalInspector(),
        detector=SileroVad(),
        transcriber=transcriber(
            settings.asr_engine,
            model=settings.asr_model,
            cache_dir=settings.model_cache_dir,
            device=settings.device,
            compute_type=settings.asr_compute_type,
            threads=settings.asr_threads or cpu_cores(),
            batch_size=settings.asr_batch_size,
            download=settings.model_download,
        ),
        diarizer=diarizer(
            settings.diarization_engine,
            cache_dir=settings.model_cache_dir,
            device=settings.diarization_device or settings.device,
        ),
        attributor=ScriptCues(options=CueOptions(min_probability=settings.role_probability)),
        annotator=PinyinAnnotator(),
        alignment=AlignmentOptions(utterance_pause_s=settings.utterance_pause_s),
        language=settings.language,
        agent_channel=settings.agent_channel,
        hot_words=settings.hot_words,
    )
