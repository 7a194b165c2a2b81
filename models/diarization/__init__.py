"""Diarization: who speaks when."""
