"""Text overlays: script, folding and sound, aligned with the recognised words."""
