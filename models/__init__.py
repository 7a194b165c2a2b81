"""Speech and language models behind the ports of the service core. Nothing is loaded at import.

Guarantee: no engine reports to its makers. Recordings are personal data, and the machines that hear them may talk
to nobody; the switch below works only before the engine's first import, so it is set before any can happen.
"""

import os

# onnxruntime 1.31: sends events to Microsoft and keeps a device number in ~/.cache/Microsoft unless told not to
# (its Privacy.md, "Disabling Telemetry").
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# pyannote.audio 4: sends its version, a session and the length of what it hears to its makers unless told not to.
os.environ["PYANNOTE_METRICS_ENABLED"] = "0"
