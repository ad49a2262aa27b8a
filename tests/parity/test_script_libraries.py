"""cjson, cmsgpack, struct and bit give scripts what they give them in redis-server, to the bit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.lua_values import SHOW, Maker, literal, number
from support.pair import Pair
from support.servers import Server

pytestmark = pytest.mark.timeout(600)

EXAMPLES = settings(max_examples=8)
AT_ONCE = 100  # calls in one script
seeds = st.integers(0, 2**64)


@pytest.fixture(scope="module")
def pair(headwater_server: Server, redis_server: Server) -> Iterator[Pair]:
    both = Pair(headwater_server, redis_server, 2)
    yield both
    both.close()


def same(pair: Pair, calls: list[str]) -> None:
    """Both servers get the same from each call, be it values or an error."""
    # Each in a function of its own, so that an error tells the name that was called.
    lines = [
        f"r[{i}] = show(pcall(function() return {call} end))" for i, call in enumerate(calls, 1)
    ]
    script = "local r = {}\n" + "\n".join(lines) + "\nreturn r"
    pair.same(pair.main, "EVAL", SHOW + script.encode("latin-1"), 0)


def some(seed: int, call: Callable[[Maker], str]) -> list[str]:
    """Many calls of one kind."""
    maker = Maker(seed)
    return [call(maker) for _ in range(AT_ONCE)]


# --- random values ---


@EXAMPLES
@given(seeds)
def test_json_encode(pair: Pair, seed: int) -> None:
    same(pair, some(seed, lambda maker: f"cjson.encode({maker.value()})"))


def _decode(maker: Maker) -> str:
    indent, ascii_ = maker.random.choice(((None, True), (None, False), (1, True)))
    text = json.dumps(maker.data(), indent=indent, ensure_ascii=ascii_).encode()
    return f"cjson.decode({literal(maker.spoiled(text))})"


@EXAMPLES
@given(seeds, st.sampled_from(["true", "false"]))
def test_json_decode(pair: Pair, seed: int, invalid: str) -> None:
    same(
        pair,
        [
            f"cjson.decode_invalid_numbers({invalid})",
            *some(seed, _decode),
            "cjson.decode_invalid_numbers(true)",
        ],
    )


def _msgpack(maker: Maker) -> str:
    packing = (
        f"cmsgpack.pack({','.join([maker.value() for _ in range(maker.random.randint(1, 3))])})"
    )
    return maker.random.choice((packing, f"cmsgpack.unpack({packing})"))


@EXAMPLES
@given(seeds)
def test_msgpack(pair: Pair, seed: int) -> None:
    same(pair, some(seed, _msgpack))


def _unpack(maker: Maker) -> str:
    limit, offset = maker.random.randint(-1, 4), maker.random.randint(-1, 9)
    return maker.random.choice(
        (
            "cmsgpack.unpack({0})",
            "cmsgpack.unpack_one({0},{2})",
            "cmsgpack.unpack_limit({0},{1},{2})",
        )
    ).format(literal(maker.packed()), limit, offset)


@EXAMPLES
@given(seeds)
def test_msgpack_of_any_bytes(pair: Pair, seed: int) -> None:
    same(pair, some(seed, _unpack))


def _struct(maker: Maker) -> str:
    kind = maker.random.randrange(5)
    format_ = maker.format()
    if kind == 0:
        return f"struct.size('{format_}')"
    if kind < 3:
        size = maker.random.choice((5, 40, 80))
        at = maker.random.choice(("", ",1", ",3", ",-1", ",2^40", ",1.5"))
        return f"struct.unpack('{format_}',{literal(maker.random.randbytes(size))}{at})"
    takes = [
        literal(maker.text()) if option in "sc" else number(maker.figure())
        for option in format_
        if option in "bBhHlLTfdiIsc"
    ]
    return f"struct.pack({','.join([literal(format_.encode()), *takes])})"


@EXAMPLES
@given(seeds)
def test_struct(pair: Pair, seed: int) -> None:
    same(pair, some(seed, _struct))


BITS = [
    "tobit",
    "bnot",
    "band",
    "bor",
    "bxor",
    "lshift",
    "rshift",
    "arshift",
    "rol",
    "ror",
    "bswap",
    "tohex",
]


def _bit(maker: Maker) -> str:
    operands = [number(maker.figure()) for _ in range(maker.random.randrange(4))]
    return f"bit.{maker.random.choice(BITS)}({','.join(operands)})"


@EXAMPLES
@given(seeds)
def test_bit(pair: Pair, seed: int) -> None:
    same(pair, some(seed, _bit))


# --- by hand ---

CJSON = """
cjson.decode('') cjson.decode(' ') cjson.decode('-') cjson.decode('.5') cjson.decode('01')
cjson.decode('0x1F') cjson.decode('-0x1f') cjson.decode('inf') cjson.decode('-Infinity')
cjson.decode('nan') cjson.decode('-nan') cjson.decode('NAN(12)') cjson.decode('+1')
cjson.decode('1e') cjson.decode('1e+') cjson.decode('1.e5') cjson.decode('1e400')
cjson.decode('[1,]') cjson.decode('{"a":1,}') cjson.decode('{,}') cjson.decode('{1:2}')
cjson.decode('"\\\\ud83d\\\\ude00"') cjson.decode('"\\\\ud83d"') cjson.decode('"\\\\udc00"')
cjson.decode('"\\\\u0000"') cjson.decode('"\\\\x"') cjson.decode('"\\\\u12"') cjson.decode('"a')
cjson.decode('1\\0x') cjson.decode('12 \\0x') cjson.decode('{"a":1}\\0x') cjson.decode('a\\0')
cjson.decode(nil) cjson.decode() cjson.decode(1,2) cjson.decode({}) cjson.decode(12)
cjson.encode() cjson.encode(1,2) cjson.encode(nil) cjson.encode(cjson.encode)
cjson.encode({[true]=1}) cjson.encode({[{}]=1}) cjson.encode({1,2,nil,4}) cjson.encode({a=nil})
cjson.encode({[1]=1,[11]=2}) cjson.encode({[1]=1,[2]=2,[20]=4}) cjson.encode({[2^31]=1})
cjson.encode({[math.huge]=1}) cjson.encode({[1.5]=1}) cjson.encode(-0.0) cjson.encode(1e15)
cjson.encode(2^53) cjson.encode(1/3) cjson.encode(0/0) cjson.encode(1/0) cjson.encode({{}})
cjson.encode('\\0\\1\\31/"\\\\\\127\\200') cjson._NAME cjson._VERSION type(cjson.null)
cjson.null==cjson.decode('null') cjson.encode_sparse_array() cjson.encode_sparse_array(true,2,10)
cjson.encode({[1]=1,[200]=2}) cjson.encode_sparse_array('off',2,10)
cjson.encode_sparse_array(1) cjson.encode_sparse_array('x') cjson.encode_sparse_array(1,2,3,4)
cjson.encode_sparse_array(nil,-1) cjson.encode_max_depth() cjson.encode_max_depth(0)
cjson.encode_max_depth('x') cjson.encode_max_depth(2) cjson.encode({{1}}) cjson.encode({{{1}}})
cjson.encode({a={b={}}}) cjson.encode_max_depth(1000) cjson.decode_max_depth(2)
cjson.decode('[[]]') cjson.decode('[[[]]]') cjson.decode('{"a":{"b":{}}}')
cjson.decode_max_depth(1000) cjson.decode_max_depth(1,2) cjson.encode_number_precision()
cjson.encode_number_precision(15) cjson.encode_number_precision(3) cjson.encode(1/3)
cjson.encode(12345) cjson.encode({[1/3]=1}) cjson.encode_number_precision('14')
cjson.encode_invalid_numbers() cjson.encode_invalid_numbers(true) cjson.encode({1/0,-1/0,0/0})
cjson.encode_invalid_numbers('null') cjson.encode({1/0,-1/0,0/0})
cjson.encode_invalid_numbers('x') cjson.encode_invalid_numbers(false)
cjson.decode_invalid_numbers() cjson.decode_invalid_numbers('off') cjson.decode('inf')
cjson.decode('[+1]') cjson.decode('0x10') cjson.decode('012') cjson.decode('1e5')
cjson.decode('-nan') cjson.decode_invalid_numbers('on') cjson.encode_keep_buffer()
cjson.encode_keep_buffer('off') cjson.encode_keep_buffer('on') type(cjson.new())
cjson.new().encode({1}) cjson.new().encode_max_depth(7) cjson.encode_max_depth()
"""

CMSGPACK = """
cmsgpack.pack() cmsgpack.pack(nil) cmsgpack.pack(cjson.null) cmsgpack.pack(string.len)
cmsgpack.pack({["1"]="a"}) cmsgpack.pack({}) cmsgpack.pack({1,2,nil,4}) cmsgpack.pack({[0]=1})
cmsgpack.pack(-0.0) cmsgpack.pack(0/0) cmsgpack.pack(-(0/0)) cmsgpack.pack(2^63)
cmsgpack.pack(-2^63) cmsgpack.pack(1e-45) cmsgpack.pack(3.4028234663852886e38)
cmsgpack.pack(2^-149) cmsgpack.pack(2^-150) cmsgpack.pack(1.5) cmsgpack.pack(0.1)
cmsgpack.pack(string.rep('x',65536)) cmsgpack.pack(string.rep('x',65535))
cmsgpack.unpack('') cmsgpack.unpack('\\193') cmsgpack.unpack('\\199\\0')
cmsgpack.unpack('\\196\\2ab') cmsgpack.unpack('\\217\\5ab') cmsgpack.unpack('\\146\\1')
cmsgpack.unpack('\\221\\255\\255\\255\\255') cmsgpack.unpack('\\223\\255\\255\\255\\255')
cmsgpack.unpack('\\219\\255\\255\\255\\255') cmsgpack.unpack('\\129\\192\\1')
cmsgpack.unpack('\\129\\203\\127\\248\\0\\0\\0\\0\\0\\0\\1') cmsgpack.unpack('\\1\\2\\3')
cmsgpack.unpack('\\207\\255\\255\\255\\255\\255\\255\\255\\255') cmsgpack.unpack('\\192\\192')
cmsgpack.unpack() cmsgpack.unpack({}) cmsgpack.unpack(12) cmsgpack.unpack_limit('a')
cmsgpack.unpack_one('abc',9) cmsgpack.unpack_one('abc','x') cmsgpack.unpack_one('abc',1.7)
cmsgpack.unpack_limit('abc',{}) cmsgpack._NAME cmsgpack._VERSION cmsgpack._DESCRIPTION
"""

STRUCT = """
struct.pack() struct.pack(nil) struct.pack({}) struct.pack('b') struct.pack('b','x')
struct.pack('b','12') struct.pack('L',2^63) struct.pack('L',2^64) struct.pack('L',1e300)
struct.pack('l',-1e300) struct.pack('L',0/0) struct.pack('L',1/0) struct.pack('i16',-1)
struct.pack('>i32',-2) struct.pack('i33',1) struct.pack('i99999999999',1)
struct.pack('c99999999999','a') struct.pack('c3','ab') struct.pack('c0','abc')
struct.pack('s','ab') struct.pack('f',1e300) struct.pack('f',0/0) struct.pack('z')
struct.pack('\\0z') struct.pack('!3',1) struct.pack('!0') struct.pack('!2147483648')
struct.pack('!1073741824bi16',1,2) struct.pack('!bi3',1,2) struct.pack('!bi5b',1,2,3)
struct.unpack('b') struct.unpack('b','a',0) struct.unpack('b','a',-1) struct.unpack('b','a',2^63)
struct.unpack('c0','abc') struct.unpack('bc0','\\3abc') struct.unpack('bc0','\\255abc')
struct.unpack('sc0','2\\0abc') struct.unpack('s','abc') struct.unpack('c2147483647','a')
struct.unpack('i9',string.rep('\\128',9)) struct.unpack('i12',string.rep('\\200',12))
struct.unpack('L',string.rep('\\255',8)) struct.unpack('','abc',5) struct.unpack('b','a','x')
struct.size('s') struct.size('c0') struct.size('!bdb') struct.size('-') struct.size('q')
struct.size('c2147483647c2147483647') struct.size(nil) struct.size()
"""

BIT = """
bit.band() bit.band(nil) bit.band({}) bit.band('12') bit.band('0x10') bit.bor(1,nil)
bit.tobit(2^52+1) bit.tobit(6755399441055744) bit.tobit(-6755399441055744) bit.tobit(0/0)
bit.lshift(1) bit.lshift(1,33) bit.tohex(255,-4) bit.tohex(255,nil) bit.tohex(1,-2147483648)
bit.bxor(0xff0f,0xf0ff,0x1234567) bit.ror(0x12345678,0) bit.arshift(-5,31)
"""


@pytest.mark.parametrize(
    "calls", [CJSON, CMSGPACK, STRUCT, BIT], ids=["cjson", "cmsgpack", "struct", "bit"]
)
def test_by_hand(pair: Pair, calls: str) -> None:
    same(pair, calls.split())


@pytest.mark.parametrize("call", ["cjson.decode('[')", "struct.pack('b','x')", "bit.band()",
                                  "cmsgpack.unpack('\\193')"])  # fmt: skip
def test_errors_tell_the_line_of_the_script(pair: Pair, call: str) -> None:
    for script in (
        f"return {call}",
        f"\n\nlocal x = {call} return x",
        f"return pcall({call[:11]})",
    ):
        pair.same(pair.main, "EVAL", script, 0)


@pytest.mark.parametrize("levels", [1000, 1001, 3999, 4000, 7997, 7999, 20_000])
def test_deep_nesting_ends_where_it_does_in_redis(pair: Pair, levels: int) -> None:
    script = """
    cjson.decode_max_depth(100000) cjson.encode_max_depth(100000)
    local function try(f, value)
      local ok, result = pcall(f, value)
      return {tostring(ok), type(result) == 'string' and #result < 200 and result or #result}
    end
    local n, out = tonumber(ARGV[1]), {}
    local list, map = {}, {}
    for i = 1, n do list = {list} map = {a=map} end
    out[1] = try(cjson.encode, list)
    out[2] = try(cjson.encode, map)
    out[3] = try(cjson.decode, string.rep('[', n))
    out[4] = try(cjson.decode, string.rep('{"a":', n))
    out[5] = try(cjson.decode, string.rep('[{"a":', n))
    out[6] = try(cmsgpack.pack, list)
    out[7] = try(cmsgpack.unpack, string.rep('\\145', n))
    out[8] = try(cmsgpack.unpack, string.rep('\\129\\1', n))
    out[9] = try(cmsgpack.unpack, string.rep('\\129', n))
    cjson.decode_max_depth(1000) cjson.encode_max_depth(1000)
    return out
    """
    pair.same(pair.main, "EVAL", script, 0, levels)


def test_settings_stay_from_one_script_to_the_next(pair: Pair) -> None:
    for script in (
        "return cjson.encode_number_precision(3)",
        "return cjson.encode({1/3})",
        "return cjson.encode_number_precision(14)",
    ):
        pair.same(pair.main, "EVAL", script, 0)
