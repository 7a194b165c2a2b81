"""From any recording to 16 kHz samples: ``models.audio.decoder.RecordingDecoder``."""
