import pytest

from tui.kube import quantity


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10Gi", 10 * 2**30), ("256Mi", 256 * 2**20), ("1.5G", 1_500_000_000), ("1e3", 1000), ("500m", 1), ("1500m", 2),
        ("0", 0), ("128974848", 128974848), ("129E6", 129_000_000), ("1E", 10**18), ("1Ei", 2**60), ("100k", 100_000),
        (".5Gi", 2**29), ("+2Ki", 2048), ("-1Ki", -1024), ("3n", 1), ("2Ti", 2 * 2**40), ("1Pi", 2**50),
    ],
)  # fmt: skip
def test_parse(text, expected):
    assert quantity.parse(text) == expected


@pytest.mark.parametrize("text", ["", "Gi", "10 Gi", "10gi", "ten", "1.2.3", "0x10", "1e", "10GiB", "NaN", "1e9999"])
def test_malformed_is_none(text):
    assert quantity.parse(text) is None


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0B"), (512, "512B"), (1023, "1023B"), (1024, "1Ki"), (1536, "1.5Ki"), (10 * 1024, "10Ki"),
        (256 * 2**20, "256Mi"), (1023 * 2**20, "1023Mi"), (int(1023.7 * 2**20), "1Gi"), (int(9.8 * 2**30), "9.8Gi"),
        (int(9.97 * 2**30), "10Gi"), (10 * 2**30, "10Gi"), (2**40, "1Ti"), (5000 * 2**60, "5000Ei"),
    ],
)  # fmt: skip
def test_text(count, expected):
    assert quantity.text(count) == expected


def test_text_is_never_wider_than_six_columns_below_an_exbibyte():
    value = 1
    while value < 2**60:
        assert len(quantity.text(value)) <= 6, value
        value = value * 11 // 10 + 1
