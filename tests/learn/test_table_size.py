"""A table with endless columns is refused before it is taken apart."""

import pytest

from fmstudio.learn.clouds import from_csv
from fmstudio.learn.table_size import MOST_COLUMNS, check_columns


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_a_line_of_endless_columns_is_refused(sign: str) -> None:
    with pytest.raises(ValueError, match=r"Line 2 has up to 2,000,001 columns; at most 1,000"):
        from_csv(f"1{sign}2\n{sign * 2_000_000}\n".encode())


def test_as_many_columns_as_are_read() -> None:
    rows = [",".join(str(k * k + row) for k in range(MOST_COLUMNS)) for row in range(3)]
    check_columns("\n".join(rows).encode())
    assert len(from_csv("\n".join(rows).encode()).points) == 3
