"""What all tables for spreadsheets keep to: no cell is run as a formula, whatever somebody wrote into a name."""

from typing import Final

_STARTS_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What spreadsheets take for a formula's beginning (OWASP, CSV Injection), full width too."""


def plain_text(text: str) -> str:
    """Text that no spreadsheet runs: one that looks like a formula begins with an apostrophe."""
    return f"'{text}" if text.startswith(_STARTS_FORMULA) else text
