"""What commands that list things write."""

from enum import StrEnum


class ListFormat(StrEnum):
    TABLE = "table"
    JSON = "json"
