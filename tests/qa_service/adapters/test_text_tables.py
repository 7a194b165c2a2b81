"""Tables in text are read line by line."""

import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.adapters.text_tables import CsvRow, encoding_of, open_text, read_csv
from qa_service.errors import InputError


def refuse(fault: str, remedy: str) -> InputError:
    return InputError("unreadable", f"it {fault}: {remedy}")


def rows(data: bytes) -> list[CsvRow]:
    with open_text(io.BytesIO(data), refuse) as text:
        return list(read_csv(text, needed=("a",), column=str.strip, refuse=refuse))


def test_lines_quotes_and_blank_lines() -> None:
    found = rows(b'\n\na, b\n1,"2\n3"\n\n4\n5,6,7\n')
    assert [(row.line, dict(row.values)) for row in found] == [
        (4, {"a": "1", "b": "2\n3"}),
        (7, {"a": "4"}),
        (8, {}),
    ]
    assert found[2].fault is not None
    assert found[2].cells == ("5", "6", "7")


def test_encodings() -> None:
    for encoding, known in (("utf-8", "utf-8-sig"), ("utf-8-sig", "utf-8-sig"), ("gbk", "gb18030")):
        data = "a,坐席\n1,李娜\n".encode(encoding)
        assert encoding_of(io.BytesIO(data)) == known
        assert dict(rows(data)[0].values) == {"a": "1", "坐席": "李娜"}
    # A character that is cut in two by the pieces in which a file is read is no fault.
    assert encoding_of(io.BytesIO(b"x" + "坐".encode() * 200_000)) == "utf-8-sig"
    assert encoding_of(io.BytesIO("坐".encode()[:2] + b"\xff")) is None


def test_a_long_table_is_never_held() -> None:
    data = io.BytesIO(b"a,b\n" + b"1,some text of a row\n" * 400_000)
    tracemalloc.start()
    with open_text(data, refuse) as text:
        count = sum(1 for _ in read_csv(text, needed=("a",), column=str.strip, refuse=refuse))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 400_000
    assert peak < 2 * 1024**2 < len(data.getvalue()) / 4


def test_the_file_stays_open() -> None:
    data = io.BytesIO(b"a\n1\n")
    with open_text(data, refuse):
        pass
    assert not data.closed


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for named in (data, b"a," + data, b"a\n" + data):
        try:
            assert all(row.line > 0 for row in rows(named))
        except InputError as error:
            assert error.code == "unreadable"  # noqa: PT017 - either is right


def test_a_header_that_cannot_be() -> None:
    for data in (b"", b"b\n1\n", b"a,a\n1,2\n", b'a,b\n"1\n'):
        with pytest.raises(InputError):
            rows(data)
