-- MessagePack for scripts, as the library of this name in Redis: same bytes, same errors.
--
-- A chunk that returns the library's table; see cjson.lua. Nothing is allocated by a length that
-- is merely announced, and nesting ends where Lua's stack would end for a C library.

local support, binary = ...
local bad_argument, raise = support.bad_argument, support.raise
local check_string, check_integer = support.check_string, support.check_integer

local byte, char, format, sub = string.byte, string.char, string.format, string.sub
local concat = table.concat
local floor, frexp, huge = math.floor, math.frexp, math.huge
local next, rawget, select, type, unpack = next, rawget, select, type, unpack
local double, double_bytes = binary.double, binary.double_bytes
local float, float_word = binary.float, binary.float_word
local integer_words, signed = binary.integer_words, binary.signed
local word_bytes = binary.word_bytes

local STACK = 8000
local MOST_RESULTS = STACK - 3 -- `unpack` itself needs the rest
local DEEPEST = 16
local BARE = true -- an error without the position of the script
local MISSING, BAD = "Missing bytes in input.", "Bad data format in input."
local MANY = "too many return values at once; use unpack_one or unpack_limit instead."

local library = {
  _NAME = "cmsgpack",
  _VERSION = "lua-cmsgpack 0.4.0",
  _DESCRIPTION = "MessagePack C implementation for Lua",
  _COPYRIGHT = "Copyright (C) 2012, Salvatore Sanfilippo",
}

local HEADS = {} -- each byte
local SMALL = {} -- numbers that are one byte
local STRINGS = {} -- what stands before a short string, by its length
for code = 0, 255 do
  HEADS[code] = char(code)
  if code < 128 then
    SMALL[code] = HEADS[code]
  end
  if code < 32 then
    STRINGS[code] = char(0xa0 + code)
  end
end

local function short(head, number)
  local low = number % 256
  return char(head, (number - low) / 256, low)
end

local function integer(number)
  if number >= 0 then
    if number < 128 then
      return HEADS[number]
    elseif number < 256 then
      return char(0xcc, number)
    elseif number < 65536 then
      return short(0xcd, number)
    elseif number < 4294967296 then
      return "\206" .. word_bytes(number)
    end
    local high, low = integer_words(number)
    return "\207" .. word_bytes(high) .. word_bytes(low)
  elseif number >= -32 then
    return HEADS[256 + number]
  elseif number >= -128 then
    return char(0xd0, 256 + number)
  elseif number >= -32768 then
    return short(0xd1, 65536 + number)
  elseif number >= -2147483648 then
    return "\210" .. word_bytes(4294967296 + number)
  end
  local high, low = integer_words(number)
  return "\211" .. word_bytes(high) .. word_bytes(low)
end

local function pack_number(number)
  if floor(number) == number and number >= -9223372036854775808
    and number < 9223372036854775808 then
    return integer(number)
  end
  -- A float has 24 bits and no more.
  local fraction = frexp(number) * 16777216
  if fraction % 1 == 0 or number == huge or number == -huge then
    local word = float_word(number)
    if float(word) == number then
      return "\202" .. word_bytes(word)
    end
  end
  return "\203" .. double_bytes(number)
end

-- What stands before a string of so many bytes.
local function string_head(length)
  if length < 32 then
    return HEADS[0xa0 + length]
  elseif length < 256 then
    return char(0xd9, length)
  elseif length < 65536 then
    return short(0xda, length)
  end
  return "\219" .. word_bytes(length)
end

-- What stands before an array or a map.
local function head(small, large, length)
  if length < 16 then
    return HEADS[small + length]
  elseif length < 65536 then
    return short(large, length)
  end
  return HEADS[large + 1] .. word_bytes(length)
end

-- Whether the keys are 1 and up without a gap, and how many keys there are.
local function is_array(value)
  local longest, items, array = 0, 0, true
  for key in next, value do
    items = items + 1
    if array then
      if type(key) ~= "number" or key <= 0 or floor(key) ~= key then
        array = false
      elseif key > longest then
        longest = key
      end
    end
  end
  return array and longest == items, items
end

-- Add the pieces of a value behind the first `n` of `out`; returns how many there are then.
local function add(out, n, value, level)
  local kind = type(value)
  if kind == "string" then
    out[n + 1] = string_head(#value)
    out[n + 2] = value
    return n + 2
  elseif kind == "number" then
    out[n + 1] = SMALL[value] or pack_number(value)
    return n + 1
  elseif kind == "boolean" then
    out[n + 1] = value and "\195" or "\194"
    return n + 1
  elseif kind ~= "table" or level >= DEEPEST then
    out[n + 1] = "\192"
    return n + 1
  end
  local array, items = is_array(value)
  level = level + 1
  n = n + 1
  if array then
    out[n] = head(0x90, 0xdc, items)
    for i = 1, items do
      local item = rawget(value, i)
      n = add(out, n, item, level)
    end
    return n
  end
  out[n] = head(0x80, 0xde, items)
  for key, item in next, value do
    kind = type(key)
    if kind == "string" and #key < 32 then
      out[n + 1] = STRINGS[#key]
      out[n + 2] = key
      n = n + 2
    else
      n = add(out, n, key, level)
    end
    if type(item) == "string" and #item < 32 then
      out[n + 1] = STRINGS[#item]
      out[n + 2] = item
      n = n + 2
    else
      n = add(out, n, item, level)
    end
  end
  return n
end

function library.pack(...)
  local count = select("#", ...)
  if count == 0 then
    bad_argument(0, "MessagePack pack needs input.")
  end
  local out, n = {}, 0
  if count == 1 then
    add(out, 0, (...), 0)
  else
    local values = { ... }
    for i = 1, count do
      n = add(out, n, values[i], 0)
    end
  end
  return concat(out)
end

-- Unpacking: `text` is what is unpacked, `size` its bytes.
local text, size

local function overflow(where)
  raise("stack overflow (" .. where .. ")")
end

local function word(pos)
  if pos + 3 > size then
    raise(MISSING)
  end
  local a, b, c, d = byte(text, pos, pos + 3)
  return ((a * 256 + b) * 256 + c) * 256 + d
end

local function half(pos)
  local a, b = byte(text, pos, pos + 1)
  if not b then
    raise(MISSING)
  end
  return a * 256 + b
end

local function octet(pos)
  return byte(text, pos) or raise(MISSING)
end

local function bytes(pos, length)
  if length > size - pos + 1 then
    raise(MISSING)
  end
  return sub(text, pos, pos + length - 1), pos + length
end

local value_at

-- `used`: what a C library would have on Lua's stack by now.
local function array(pos, length, used)
  local items = {}
  if used + 2 > STACK then
    overflow("in function mp_decode_to_lua_array")
  end
  for i = 1, length do
    local first = byte(text, pos)
    if first and first < 0x80 then
      items[i] = first
      pos = pos + 1
    else
      items[i], pos = value_at(pos, used + 2)
    end
  end
  return items, pos
end

local function map(pos, length, used)
  local items = {}
  for _ = 1, length do
    local first = byte(text, pos)
    local key, value
    if first and first >= 0xa0 and first < 0xc0 and used + 2 <= STACK then
      key, pos = bytes(pos + 1, first - 0xa0)
    else
      key, pos = value_at(pos, used + 1)
    end
    value, pos = value_at(pos, used + 2)
    if key == nil then
      raise("table index is nil", BARE)
    elseif key ~= key then
      raise("table index is NaN", BARE)
    end
    items[key] = value
  end
  return items, pos
end

-- What the rarer first bytes mean; each function is given where what follows begins.
local OTHERS = {
  [0xc0] = function(pos) return nil, pos end,
  [0xc2] = function(pos) return false, pos end,
  [0xc3] = function(pos) return true, pos end,
  [0xca] = function(pos) return float(word(pos)), pos + 4 end,
  [0xcb] = function(pos)
    if pos + 7 > size then
      raise(MISSING)
    end
    return double(word(pos), word(pos + 4)), pos + 8
  end,
  [0xcc] = function(pos) return octet(pos), pos + 1 end,
  [0xcd] = function(pos) return half(pos), pos + 2 end,
  [0xce] = function(pos) return word(pos), pos + 4 end,
  [0xd0] = function(pos)
    local value = octet(pos)
    return value < 128 and value or value - 256, pos + 1
  end,
  [0xd1] = function(pos)
    local value = half(pos)
    return value < 32768 and value or value - 65536, pos + 2
  end,
  [0xd2] = function(pos)
    local value = word(pos)
    return value < 2147483648 and value or value - 4294967296, pos + 4
  end,
  [0xd3] = function(pos) return signed(word(pos), word(pos + 4)), pos + 8 end,
  [0xd9] = function(pos) return bytes(pos + 1, octet(pos)) end,
  [0xda] = function(pos) return bytes(pos + 2, half(pos)) end,
  [0xdb] = function(pos) return bytes(pos + 4, word(pos)) end,
  [0xdc] = function(pos, used) return array(pos + 2, half(pos), used) end,
  [0xdd] = function(pos, used) return array(pos + 4, word(pos), used) end,
  [0xde] = function(pos, used) return map(pos + 2, half(pos), used) end,
  [0xdf] = function(pos, used) return map(pos + 4, word(pos), used) end,
}
OTHERS[0xcf] = OTHERS[0xd3] -- Redis's library has no room for the upper half either

-- The value at `pos`, and where it ends.
function value_at(pos, used)
  local first = byte(text, pos)
  if not first then
    raise(MISSING)
  elseif used >= STACK then
    overflow(MANY)
  elseif first < 0x80 then
    return first, pos + 1
  elseif first < 0x90 then
    return map(pos + 1, first - 0x80, used)
  elseif first < 0xa0 then
    return array(pos + 1, first - 0x90, used)
  elseif first < 0xc0 then
    return bytes(pos + 1, first - 0xa0)
  elseif first >= 0xe0 then
    return first - 256, pos + 1
  end
  local other = OTHERS[first]
  if not other then
    raise(BAD)
  end
  return other(pos + 1, used)
end

-- As many values as `limit` says, from `offset` on, and how many results that makes: behind where
-- to go on, unless limit and offset are both 0, which means all.
local function read(input, limit, offset)
  if offset < 0 or limit < 0 then
    raise(format("Invalid request to unpack with offset of %d and limit of %d.",
      offset, #input))
  elseif offset > #input then
    raise(format("Start offset %d greater than input length %d.", offset, #input))
  end
  local all = limit == 0 and offset == 0
  text, size = input, #input
  local values, count = {}, all and 0 or 1
  local pos, used, left = offset + 1, 1, all and 2147483647 or limit
  while pos <= size and left > 0 do
    count = count + 1
    values[count], pos = value_at(pos, used)
    used = used + 1
    left = left - 1
  end
  if not all then
    if used >= STACK then
      overflow("in function mp_unpack_full")
    end
    values[1] = pos > size and -1 or pos - 1
  end
  text = nil
  if count > MOST_RESULTS then
    overflow(MANY)
  end
  return values, count
end

function library.unpack(...)
  local input = check_string(1, (...), select("#", ...) == 0)
  local values, count = read(input, 0, 0)
  return unpack(values, 1, count)
end

function library.unpack_one(...)
  local input, offset = ...
  offset = offset == nil and 0 or check_integer(2, offset)
  input = check_string(1, input, select("#", ...) == 0)
  local values, count = read(input, 1, offset)
  return unpack(values, 1, count)
end

function library.unpack_limit(...)
  local input, limit, offset = ...
  limit = check_integer(2, limit, select("#", ...) < 2)
  offset = offset == nil and 0 or check_integer(3, offset)
  input = check_string(1, input, select("#", ...) == 0)
  local values, count = read(input, limit, offset)
  return unpack(values, 1, count)
end

support.entry(library)
return library
