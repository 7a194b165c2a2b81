"""Sounds in calls that are no speech: what telephones, lines, rooms and hold music put on a channel.

Guarantee: float32 (time,) at 16 kHz in [-1, 1], the same samples on every call.
"""

from tests.sounds.music import MUSIC
from tests.sounds.noises import NOISES
from tests.sounds.signalling import SIGNALLING
from tests.sounds.synthesis import Sound

SOUNDS: dict[str, Sound] = {**SIGNALLING, **NOISES, **MUSIC}
"""Every sound by name: a function of seconds. A recogniser must hear no word in any of them."""
