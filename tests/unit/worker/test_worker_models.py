"""Entries as dicts, dataclasses, pydantic and msgspec models: there and back; what is poison."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import uuid
from typing import Annotated, Any, Literal

import pytest

from headwater.worker.errors import ConfigurationError, PoisonError
from headwater.worker.models import decoder, encode


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclasses.dataclass
class Address:
    street: str
    number: int = 1


@dataclasses.dataclass
class Order:
    name: str
    count: int
    price: float
    paid: bool
    total: decimal.Decimal
    at: datetime.datetime
    day: datetime.date
    took: datetime.timedelta
    key: uuid.UUID
    colour: Colour
    level: Level
    kind: Literal["a", "b"]
    raw: bytes
    tags: list[str]
    pair: tuple[int, str]
    prices: dict[str, float]
    address: Address
    places: list[Address]
    note: str | None = None
    other: int | None = None
    some: Annotated[int, "whatever"] = 3
    either: int | str = 0
    seen: set[int] = dataclasses.field(default_factory=set)


ORDER = Order(
    name="Müller",
    count=3,
    price=1.5,
    paid=True,
    total=decimal.Decimal("10.50"),
    at=datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC),
    day=datetime.date(2026, 11, 23),
    took=datetime.timedelta(seconds=90),
    key=uuid.UUID(int=7),
    colour=Colour.BLUE,
    level=Level.HIGH,
    kind="b",
    raw=b"\xff\x00",
    tags=["x", "y"],
    pair=(1, "one"),
    prices={"eur": 2.5},
    address=Address("Main", 2),
    places=[Address("Side")],
    other=7,
    either="word",
    seen={1},
)


def fields_of(words: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(words[::2], words[1::2], strict=True))


def test_a_dataclass_there_and_back() -> None:
    fields = fields_of(encode(ORDER))
    assert decoder(Order)(fields) == ORDER
    assert b"note" not in fields
    assert (fields[b"name"], fields[b"paid"], fields[b"price"]) == (
        "Müller".encode(),
        b"true",
        b"1.5",
    )
    assert fields[b"total"] == b"10.50"
    assert fields[b"tags"] == b'["x","y"]'
    assert fields[b"address"] == b'{"street":"Main","number":2}'


def test_a_field_that_nobody_knows_is_left_out() -> None:
    assert decoder(Address)({b"street": b"Main", b"more": b"1"}) == Address("Main")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("count", b"three", "field count: 'three' is no int"),
        ("count", b"1.5", "field count"),
        ("paid", b"perhaps", "field paid"),
        ("at", b"yesterday", "field at"),
        ("colour", b"green", "field colour: 'green' is no Colour"),
        ("kind", b"c", "field kind"),
        ("tags", b"x", "field tags is no JSON"),
        ("tags", b'"x"', "field tags"),
        ("prices", b'{"eur": "much"}', "field prices"),
        ("address", b'{"number": 1}', "field street is missing"),
        ("address", b'{"street": "x", "zip": 1}', "field address"),
        ("pair", b"[1]", "field pair"),
        ("name", b"\xff", "field name is no UTF-8"),
        ("total", b"x", "field total"),
    ],
)
def test_poison(name: str, value: bytes, text: str) -> None:
    fields = fields_of(encode(ORDER))
    fields[name.encode()] = value
    with pytest.raises(PoisonError, match=text):
        decoder(Order)(fields)


def test_a_missing_field_is_poison() -> None:
    with pytest.raises(PoisonError, match="field street is missing"):
        decoder(Address)({})


def test_what_a_post_init_says_is_poison() -> None:
    @dataclasses.dataclass
    class Even:
        n: int

        def __post_init__(self) -> None:
            if self.n % 2:
                raise ValueError("odd")

    Even.__module__ = __name__
    assert decoder(Even)({b"n": b"2"}).n == 2
    with pytest.raises(PoisonError, match="odd"):
        decoder(Even)({b"n": b"3"})


def test_dicts() -> None:
    words = encode({"a": 1, "b": None, "c": "ü", "d": [1, {"e": None}], b"f": b"\xff", "g": False})
    fields = fields_of(words)
    assert fields == {
        b"a": b"1",
        b"c": "ü".encode(),
        b"d": b'[1,{"e":null}]',
        b"f": b"\xff",
        b"g": b"false",
    }
    text = decoder(dict)(fields)
    assert text["c"] == "ü"
    assert text["f"].encode("utf-8", "surrogateescape") == b"\xff"
    assert fields_of(encode(text)) == fields
    assert decoder(bytes)(fields) == fields


@pytest.mark.parametrize("value", [{}, {"a": None}, 7, "text", Address])
def test_what_is_no_entry(value: Any) -> None:
    with pytest.raises(ConfigurationError):
        encode(value)


@pytest.mark.parametrize("model", [int, "Order", list[str], None])
def test_what_is_no_model(model: Any) -> None:
    with pytest.raises(ConfigurationError, match="give decode="):
        decoder(model)


def test_pydantic() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Item(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        sku: str
        count: int = 1

    class Basket(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        owner: str = pydantic.Field(alias="ownerName")
        total: decimal.Decimal
        at: datetime.datetime
        paid: bool
        colour: Colour
        items: list[Item]
        best: Item | None = None
        note: str | None = None

    basket = Basket(
        ownerName="1234",
        total=decimal.Decimal("10.50"),
        at=datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC),
        paid=False,
        colour=Colour.RED,
        items=[Item(sku="a"), Item(sku="b", count=2)],
        best=Item(sku="b"),
    )
    fields = fields_of(encode(basket))
    assert fields[b"ownerName"] == b"1234"
    assert fields[b"paid"] == b"false"
    assert decoder(Basket)(fields) == basket
    for name, value in ((b"paid", b"perhaps"), (b"items", b"[{}]"), (b"items", b"x")):
        with pytest.raises(PoisonError):
            decoder(Basket)({**fields, name: value})


def test_msgspec() -> None:
    msgspec = pytest.importorskip("msgspec")
    item = msgspec.defstruct("Item", [("sku", str), ("count", int, 1)])
    basket = msgspec.defstruct(
        "Basket",
        [
            ("owner_name", str),
            ("total", float),
            ("paid", bool),
            ("items", list[item]),
            ("note", str | None, None),
        ],
        rename="camel",
    )
    value = basket("1234", 2.5, True, [item("a"), item("b", 2)])
    fields = fields_of(encode(value))
    assert fields[b"ownerName"] == b"1234"
    assert decoder(basket)(fields) == value
    for name, wrong in ((b"total", b"much"), (b"items", b"[{}]"), (b"items", b"x")):
        with pytest.raises(PoisonError):
            decoder(basket)({**fields, name: wrong})
