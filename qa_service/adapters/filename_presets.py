"""File names as the common telephone systems write them, by the system's name instead of a template.

Guarantee: a name gives what it says for certain. What a site's dial plan decides (which of two numbers is the
agent's, whether an extension was called from outside) stays unknown: the call records tell it, or a template of
the site's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path
from typing import Protocol

from qa_service.adapters.filename_template import FilenameTemplate
from qa_service.adapters.metadata_fields import is_withheld
from qa_service.domain.call import CallMetadata, Direction

_SECONDS = "{started_at:%Y%m%d-%H%M%S}"
_DASHED = "{started_at:%Y-%m-%d-%H-%M-%S}"
_UNIQUEID = "{call_id:uniqueid}"
_UUID = "{call_id:uuid}"
_VICIDIAL_ENDS = ("-all", "-in", "-out", "")  # both sides mixed, or one of them


@dataclass(frozen=True, slots=True)
class Form:
    """One way in which a system writes names; ``direction`` is what its fixed words mean."""

    template: str
    direction: Direction | None = None


PRESETS: Mapping[str, tuple[Form, ...]] = {
    # FreePBX: what was recorded, the number that was called, who called, when, and the channel. Of `exten`,
    # `internal`, `rg`, `force` and others the kind does not say whether a customer takes part, nor on which side.
    "asterisk": (
        Form(f"out-{{customer_ref:digits}}-{{agent_id}}-{_SECONDS}-{_UNIQUEID}", Direction.OUTBOUND),
        Form(f"external-{{agent_id:digits}}-{{customer_ref}}-{_SECONDS}-{_UNIQUEID}", Direction.INBOUND),
        Form(f"in-{{_:digits}}-{{customer_ref}}-{_SECONDS}-{_UNIQUEID}", Direction.INBOUND),
        Form(f"q-{{queue:digits}}-{{customer_ref}}-{_SECONDS}-{_UNIQUEID}", Direction.INBOUND),
        Form(f"{{_}}-{_SECONDS}-{_UNIQUEID}"),
        Form(f"{_SECONDS}-{_UNIQUEID}"),
        Form(_UNIQUEID),
    ),
    # The shipped dial plan writes called_caller, many sites caller_called: neither number is surely anybody's.
    "freeswitch": (
        *(Form(f"{_DASHED}{gap}{{_}}{gap}{_UUID}") for gap in "_.-"),
        *(Form(f"{_DASHED}{gap}{_UUID}") for gap in "_.-"),
        *(Form(f"{_UUID}{gap}{_DASHED}") for gap in "_.-"),
        Form(_UUID),
        *(Form(f"{_DASHED}{gap}{{_}}") for gap in "_."),
        *(Form(f"{{_}}{gap}{_DASHED}") for gap in "_."),
        Form(_DASHED),
    ),
    # FULLDATE_CUSTPHONE_CAMPAIGN_AGENT; of other orders only the time is sure.
    "vicidial": (
        *(
            Form(f"{_SECONDS}_{{customer_ref:digits}}_{{queue}}_{{agent_id}}{end}")
            for end in _VICIDIAL_ENDS
        ),
        Form(f"{_SECONDS}_{{_}}"),
    ),
}  # fmt: skip
"""By name; the forms of a system from the one that says most."""


class NameReader(Protocol):
    """Reads call metadata out of file names."""

    def parse(self, path: Path) -> CallMetadata | None: ...


class FilenamePreset:
    """The forms of a system in their order: the first that a name fits tells."""

    def __init__(self, name: str, *, time_zone: tzinfo) -> None:
        self._forms = [
            (FilenameTemplate(form.template, time_zone=time_zone), form.direction) for form in PRESETS[name]
        ]

    def parse(self, path: Path) -> CallMetadata | None:
        """Metadata in a recording's name; None when no form fits it."""
        for template, direction in self._forms:
            if (told := template.parse(path)) is not None:
                return _without_nobody(replace(told, direction=direction))
        return None


def name_reader(setting: str, *, time_zone: tzinfo) -> NameReader:
    """What ``QA_FILENAME_TEMPLATE`` says: the name of a preset, or a template.

    Raises:
        ConfigurationError: ``filename_template_invalid``.
    """
    name = setting.strip().lower()
    if name in PRESETS:
        return FilenamePreset(name, time_zone=time_zone)
    return FilenameTemplate(setting, time_zone=time_zone)


def _without_nobody(told: CallMetadata) -> CallMetadata:
    """Words that systems write where a number is withheld are no number, and nobody's name."""
    agent, customer = (
        None if value is not None and is_withheld(value) else value for value in (told.agent_id, told.customer_ref)
    )
    return replace(told, agent_id=agent, customer_ref=customer)
