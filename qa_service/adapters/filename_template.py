"""Call metadata out of file names, by a template such as ``{agent_id}_{direction}_{started_at:%Y%m%d%H%M%S}``.

Guarantee: a file name is read in the only way that fits the template, or not at all. Where two readings are
possible nothing is claimed, because a call booked to the wrong agent is worse than an unknown agent.
"""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from pathlib import Path
from string import Formatter

import re2

from qa_service.adapters.discovery import AUDIO_SUFFIXES
from qa_service.adapters.metadata_fields import ALLOWED_FORMS, parse_fields
from qa_service.domain.call import CallMetadata
from qa_service.errors import ConfigurationError

# A ~ stands after every quantifier of variable width: nothing there takes as much as it can, a ? as little.

# What each strptime directive may match, in fixed width where strptime itself would take one digit or two.
# Month and weekday names are left out: they depend on the server's locale.
_DIRECTIVES = {
    "%Y": "[0-9]{4}",
    "%y": "[0-9]{2}",
    "%m": "[0-9]{2}",
    "%d": "[0-9]{2}",
    "%j": "[0-9]{3}",
    "%H": "[0-9]{2}",
    "%I": "[0-9]{2}",
    "%p": "(?:AM|PM|am|pm)",
    "%M": "[0-9]{2}",
    "%S": "[0-9]{2}",
    "%f": "[0-9]{1,6}~",
    "%z": "(?:Z|[+-][0-9]{2}:?[0-9]{2})",
    "%%": "%",
}
_WORDS = {
    "direction": "(?i:inbound|outbound)",
    "purpose": "(?i:service|sales|reply|follow-up)",
    "hangup_side": "(?i:agent|customer)",
    "ring_count": "[0-9]{1,4}~",
    "agent_channel": "[01]",
    "speakers": "[0-9]{1,3}~",
}


_NOT_TEXT = {*_WORDS, "started_at", "language", "hold_spans", "channel_map", "raw_format"}
_FORMS = {
    "digits": "[0-9+*#]+~",
    "uniqueid": "(?:[A-Za-z][A-Za-z0-9_.]{0,39}~-)?[0-9]{9,11}[.][0-9]+~",
    "uuid": "[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}",
}
"""What a part may be told to look like, after a colon: a number that can be dialled, and the names that Asterisk
(with the system's before a dash, if it has one) and FreeSWITCH give to a channel."""


class FilenameTemplate:
    """A compiled template: known columns in braces, ``{_}`` for a part to skip, ``{{`` for a brace."""

    def __init__(self, template: str, *, time_zone: tzinfo) -> None:
        """
        Args:
            template: for the file name without its suffix, for example ``{agent_id}_{_}_{customer_ref}``.
                A ``started_at`` takes a strptime format after a colon, ISO 8601 without one; the columns of
                text, and ``_``, take ``digits``, ``uniqueid`` or ``uuid``.
            time_zone: the site's, for a ``started_at`` without an offset.

        Raises:
            ConfigurationError: ``filename_template_invalid``.
        """
        self._template = template
        self._time_zone = time_zone
        self._time_format: str | None = None
        self._groups: dict[str, str] = {}
        lazy, greedy = self._pattern("?"), self._pattern("")
        # RE2 because file names come from outside: its time is linear, where a backtracking engine takes
        # for ever to find that 200 underscores do not fit six parts.
        self._lazy, self._greedy = re2.compile(lazy), re2.compile(greedy)

    def parse(self, path: Path) -> CallMetadata | None:
        """Metadata in a recording's name; None when it does not match, can be read in two ways, or holds a
        value that its column does not allow."""
        try:
            shortest, longest = self._lazy.fullmatch(path.stem), self._greedy.fullmatch(path.stem)
        except UnicodeEncodeError:  # a name in bytes that are not UTF-8
            return None
        # When the reading with the shortest first part is also the one with the longest, then there is only
        # one first part, and so on through the parts.
        if shortest is None or longest is None or shortest.groups() != longest.groups():
            return None
        values: dict[str, object] = {column: shortest.group(group) for column, group in self._groups.items()}
        if self._time_format is not None:
            try:
                moment = datetime.strptime(str(values["started_at"]), self._time_format)
            except ValueError:
                return None
            values["started_at"] = moment.isoformat()
        metadata, faults = parse_fields(values, time_zone=self._time_zone)
        return None if faults else metadata

    def _pattern(self, thrift: str) -> str:
        try:
            parts = list(Formatter().parse(self._template))
        except ValueError as error:
            raise self._invalid(f"it does not parse ({error}); write {{{{ for a brace") from error
        self._groups = {}
        pattern = ""
        for number, (literal, column, spec, conversion) in enumerate(parts):
            if "/" in literal or "\\" in literal:
                raise self._invalid("it is for the file's name only, without folders")
            pattern += re.escape(literal)
            if column is None:
                continue
            if conversion is not None:
                raise self._invalid(f"{{{column}!{conversion}}} is not allowed")
            pattern += f"(?P<part{number}>{self._part(column, spec or '', thrift)})"
            if column != "_":
                self._groups[column] = f"part{number}"
        if not self._groups:
            raise self._invalid(
                f"it holds no column (known are {', '.join(ALLOWED_FORMS)}) and names no telephone system"
            )
        literal, column, *_ = parts[-1]
        if column is None and literal.lower().endswith(tuple(AUDIO_SUFFIXES)):
            raise self._invalid("leave the file's suffix out")
        return pattern

    def _part(self, column: str, spec: str, thrift: str) -> str:
        if column != "_" and column not in ALLOWED_FORMS:
            raise self._invalid(f"{{{column}}} is not known; use {', '.join(ALLOWED_FORMS)} or _ to skip a part")
        if column in self._groups:
            raise self._invalid(f"{{{column}}} occurs twice; use {{_}} for one of them")
        if column == "started_at" and spec:
            self._time_format = spec
            return self._time_pattern(spec, thrift)
        if spec in _FORMS and column not in _NOT_TEXT:
            return _FORMS[spec].replace("~", thrift)
        if spec:
            raise self._invalid(f"{{{column}:{spec}}} is not a form; parts of text take {', '.join(_FORMS)}")
        return _WORDS.get(column, ".+~").replace("~", thrift)

    def _time_pattern(self, spec: str, thrift: str) -> str:
        tokens = re.findall(r"%.?|[^%]+", spec, re.DOTALL)
        directives = [token for token in tokens if token.startswith("%")]
        for token in directives:
            if token not in _DIRECTIVES:
                raise self._invalid(f"{token!r} in the time is not known; use {' '.join(_DIRECTIVES)}")
        used = set(directives)
        dated = used & {"%Y", "%y"} and ({"%m", "%d"} <= used or "%j" in used)
        if not dated or not ("%H" in used or {"%I", "%p"} <= used):
            # A bare date would become midnight and every call one outside the call hours.
            raise self._invalid("started_at needs year, month, day and hour, for example %Y%m%d%H%M%S")
        if any(directives.count(token) > 1 for token in used - {"%%"}):
            raise self._invalid("a directive of started_at occurs twice")
        return "".join(
            _DIRECTIVES[token].replace("~", thrift) if token in _DIRECTIVES else re.escape(token)
            for token in tokens
        )

    def _invalid(self, fault: str) -> ConfigurationError:
        return ConfigurationError(
            "filename_template_invalid", f"the file name template {self._template!r} cannot be used: {fault}"
        )
