-- JSON for scripts, as the library of this name in Redis: same replies, same errors.
--
-- A chunk that returns the library's table. It runs once, before the globals are taken away, and
-- keeps what it needs of them in locals. What a text may cost is bounded by the text; nesting by
-- the limits below, which are those of a C library on Lua's stack of 8000 values.

local support = ...
local bad_argument, raise = support.bad_argument, support.raise
local check_string, check_integer = support.check_string, support.check_integer
local entry = support.entry

local byte, find, match, sub, gsub = string.byte, string.find, string.match, string.sub, string.gsub
local char, format, lower = string.char, string.format, string.lower
local concat = table.concat
local floor, huge = math.floor, math.huge
local getmetatable, setmetatable = debug.getmetatable, setmetatable
local next, rawget = next, rawget
local select, tonumber, type = select, tonumber, type

local STACK = 8000
local INT_MAX = 2147483647
local null = support.null

local OFF_ON = { off = false, on = true }
local OFF_ON_NULL = { off = false, on = true, null = "null" }

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["/"] = "\\/", ["\127"] = "\\u007f",
  ["\b"] = "\\b", ["\t"] = "\\t", ["\n"] = "\\n", ["\f"] = "\\f", ["\r"] = "\\r" }
for code = 0, 31 do
  local c = char(code)
  ESCAPES[c] = ESCAPES[c] or format("\\u%04x", code)
end

-- What ESCAPES has. Written as all that it does not have, in ranges, which is found much faster.
local UNSAFE = "[^]-~0-[#-. -!\128-\255]"

local UNESCAPED = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/",
  b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local TOKENS = { ["{"] = "T_OBJ_BEGIN", ["}"] = "T_OBJ_END", ["["] = "T_ARR_BEGIN",
  ["]"] = "T_ARR_END", [","] = "T_COMMA", [":"] = "T_COLON", ["\0"] = "T_END", [""] = "T_END",
  ['"'] = "T_STRING" }

-- The UTF-8 of a code point.
local function utf8(code)
  if code < 0x80 then
    return char(code)
  elseif code < 0x800 then
    return char(0xc0 + floor(code / 0x40), 0x80 + code % 0x40)
  elseif code < 0x10000 then
    return char(0xe0 + floor(code / 0x1000), 0x80 + floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
  end
  return char(0xf0 + floor(code / 0x40000), 0x80 + floor(code / 0x1000) % 0x40,
    0x80 + floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
end

-- The string whose characters begin at `pos`, and where it ends, behind the closing quote; or
-- nil, where the error is and which.
local function read_string(text, pos)
  local parts, n = {}, 0
  while true do
    local stop = find(text, '["\\%z]', pos)
    if not stop then
      return nil, #text + 1, "unexpected end of string"
    end
    if stop > pos then
      n = n + 1
      parts[n] = sub(text, pos, stop - 1)
    end
    local c = byte(text, stop)
    if c == 34 then
      return concat(parts), stop + 1
    elseif c == 0 then
      return nil, stop, "unexpected end of string"
    end
    local escape = sub(text, stop + 1, stop + 1)
    pos = stop + 2
    local plain = UNESCAPED[escape]
    if not plain then
      if escape ~= "u" then
        return nil, stop, "invalid escape code"
      end
      local digits = match(text, "^%x%x%x%x", pos)
      local code = digits and tonumber(digits, 16)
      pos = pos + 4
      if code and code >= 0xd800 and code < 0xe000 then
        local second = match(text, "^\\u(%x%x%x%x)", pos)
        second = second and tonumber(second, 16)
        if code < 0xdc00 and second and second >= 0xdc00 and second < 0xe000 then
          code = 0x10000 + (code - 0xd800) * 0x400 + second - 0xdc00
          pos = pos + 6
        else
          code = nil
        end
      end
      if not code then
        return nil, stop, "invalid unicode escape code"
      end
      plain = utf8(code)
    end
    n = n + 1
    parts[n] = plain
  end
end

-- The number at `pos` as strtod sees it and where it ends, or nil when there is none.
local function read_number(text, pos)
  local start = pos
  local sign = byte(text, pos)
  if sign == 43 or sign == 45 then
    pos = pos + 1
  end
  local _, stop = find(text, "^0[xX]%x+%.?%x*", pos)
  if not stop then
    _, stop = find(text, "^0[xX]%.%x+", pos)
  end
  if stop then
    local _, exponent = find(text, "^[pP][+-]?%d+", stop + 1)
    stop = exponent or stop
  else
    _, stop = find(text, "^%d+%.?%d*", pos)
    if not stop then
      _, stop = find(text, "^%.%d+", pos)
    end
    if stop then
      local _, exponent = find(text, "^[eE][+-]?%d+", stop + 1)
      stop = exponent or stop
    else
      local word = lower(sub(text, pos, pos + 7))
      if word == "infinity" then
        stop = pos + 7
      elseif sub(word, 1, 3) == "inf" then
        stop = pos + 2
      elseif sub(word, 1, 3) == "nan" then
        _, stop = find(text, "^%([%w_]*%)", pos + 3)
        stop = stop or pos + 2
      else
        return nil
      end
      if sub(word, 1, 3) == "nan" then
        local nan = 0 / 0 -- with its sign set, where the processor does so
        if (sign == 45) == (find(format("%f", nan), "-", 1, true) == 1) then
          return nan, stop + 1
        end
        return -nan, stop + 1
      end
      return sign == 45 and -huge or huge, stop + 1
    end
  end
  local number = sub(text, start, stop)
  if sign == 43 then
    number = sub(number, 2)
  end
  return tonumber(number), stop + 1
end

-- Whether what stands at `pos` is a number for strtod and none for JSON.
local function is_invalid_number(text, pos)
  if byte(text, pos) == 43 then
    return true
  end
  if byte(text, pos) == 45 then
    pos = pos + 1
  end
  local first, second = byte(text, pos, pos + 1)
  if not first then
    return false
  end
  if first == 48 then
    return second == 120 or second == 88 or (second and second >= 48 and second <= 57) or false
  elseif first <= 57 then
    return false
  end
  local word = lower(sub(text, pos, pos + 2))
  return word == "inf" or word == "nan"
end

-- Keys that need no escapes: the same ones come again and again. Forgotten when they are many.
local PLAIN_KEYS, PLAIN_KEY_BYTES = 1000, 40
local plain_keys, plain_count = {}, 0

-- A key as JSON has it between quotes.
local function key_text(key)
  if find(key, UNSAFE) then
    return (gsub(key, '[%c"\\/]', ESCAPES))
  end
  if #key <= PLAIN_KEY_BYTES then
    if plain_count == PLAIN_KEYS then
      plain_keys, plain_count = {}, 0
    end
    plain_keys[key] = true
    plain_count = plain_count + 1
  end
  return key
end

-- Make a library with settings of its own.
local function new()
  local precision, number_format = 14, "%.14g"
  local encode_max_depth, decode_max_depth = 1000, 1000
  local sparse_convert, sparse_ratio, sparse_safe = false, 2, 10
  local encode_invalid, decode_invalid = false, true
  local keep_buffer = true
  local array_metatables = false
  local library = { _NAME = "cjson", _VERSION = "2.1.0", null = null }

  -- Encoding: each function adds the pieces of a value behind the first `n` of `out`, and returns
  -- how many there are then.

  local function cannot(value, reason)
    raise(format("Cannot serialise %s: %s", type(value), reason))
  end

  -- A number as it goes into `out`; a number becomes text by %.14g.
  local function figure(value)
    if value ~= value or value == huge or value == -huge then
      if not encode_invalid then
        cannot(value, "must not be NaN or Inf")
      elseif encode_invalid == "null" then
        return "null"
      elseif value ~= value then
        return "nan"
      end
    elseif precision ~= 14 then
      return format(number_format, value)
    end
    return value
  end

  -- How long an array the table is; not above 0: it is none.
  local function array_length(value)
    local longest, items = 0, 0
    for key in next, value do
      if type(key) ~= "number" or key < 1 or floor(key) ~= key then
        return -1
      end
      if key > longest then
        longest = key > INT_MAX and -INT_MAX - 1 or key
      end
      items = items + 1
    end
    if sparse_ratio > 0 and longest > items * sparse_ratio and longest > sparse_safe then
      if not sparse_convert then
        cannot(value, "excessively sparse array")
      end
      return -1
    end
    return longest
  end

  -- What is neither a string nor a table, as it goes into `out`.
  local function plain(value, kind)
    if kind == "number" then
      return figure(value)
    elseif kind == "boolean" then
      return value and "true" or "false"
    elseif kind == "nil" or value == null then
      return "null"
    end
    cannot(value, "type not supported")
  end

  -- `used`: what a C library would have on Lua's stack by now.
  local function add_table(out, n, value, depth, used)
    if depth > encode_max_depth or used + 3 > STACK then
      raise(format("Cannot serialise, excessive nesting (%d)", depth))
    end
    local length = array_length(value)
    if length > 0 then
      local between = "["
      for i = 1, length do
        local item = rawget(value, i)
        local kind = type(item)
        out[n + 1] = between
        between = ","
        if kind == "string" then
          if find(item, UNSAFE) then
            item = gsub(item, '[%c"\\/]', ESCAPES)
          end
          out[n + 2] = '"'
          out[n + 3] = item
          out[n + 4] = '"'
          n = n + 4
        elseif kind == "table" then
          n = add_table(out, n + 1, item, depth + 1, used + 1)
        else
          n = n + 2
          out[n] = plain(item, kind)
        end
      end
      out[n + 1] = "]"
      return n + 1
    end
    local between = '{"'
    for key, item in next, value do
      local kind = type(key)
      if kind == "string" then
        if not plain_keys[key] then
          key = key_text(key)
        end
      elseif kind == "number" then
        key = figure(key)
      else
        cannot(key, "table key must be a number or string")
      end
      out[n + 1] = between
      out[n + 2] = key
      between = ',"'
      kind = type(item)
      if kind == "string" then
        if find(item, UNSAFE) then
          item = gsub(item, '[%c"\\/]', ESCAPES)
        end
        out[n + 3] = '":"'
        out[n + 4] = item
        out[n + 5] = '"'
        n = n + 5
      elseif kind == "table" then
        out[n + 3] = '":'
        n = add_table(out, n + 3, item, depth + 1, used + 2)
      else
        out[n + 3] = '":'
        n = n + 4
        out[n] = plain(item, kind)
      end
    end
    n = n + 1
    if between == ',"' then
      out[n] = "}"
      return n
    end
    local metatable = getmetatable(value)
    if type(metatable) == "table" and rawget(metatable, "__is_cjson_array") then
      out[n] = "[]"
    else
      out[n] = "{}"
    end
    return n
  end

  function library.encode(...)
    if select("#", ...) ~= 1 then
      bad_argument(1, "expected 1 argument")
    end
    local value = ...
    local kind = type(value)
    local out = {}
    if kind == "string" then
      return '"' .. gsub(value, '[%c"\\/]', ESCAPES) .. '"'
    elseif kind == "table" then
      add_table(out, 0, value, 1, 1)
    else
      out[1] = plain(value, kind)
    end
    return (concat(out))
  end

  -- Decoding: `text` is what is decoded; the patterns are for one that has neither a backslash nor
  -- a zero byte, or for any.
  local text, rest_of_string, key_and_colon, spaced_key_and_colon

  -- Raise the error for a token that is not what is expected at `pos`.
  local function unexpected(expected, pos)
    pos = find(text, "[^ \t\n\r]", pos) or #text + 1
    local c = sub(text, pos, pos)
    local found = TOKENS[c]
    if found == "T_STRING" then
      local value, at, problem = read_string(text, pos + 1)
      if not value then
        pos, found = at, problem
      end
    elseif not found then
      if find(c, "[%d+-]") or decode_invalid and is_invalid_number(text, pos) then
        found = "T_NUMBER"
        if not decode_invalid and is_invalid_number(text, pos) or not read_number(text, pos) then
          found = "invalid number"
        end
        if c == "+" and not decode_invalid then
          found = "invalid token"
        end
      elseif find(text, "^true", pos) or find(text, "^false", pos) then
        found = "T_BOOLEAN"
      elseif find(text, "^null", pos) then
        found = "T_NULL"
      else
        found = "invalid token"
      end
    end
    raise(format("Expected %s but found %s at character %d", expected, found, pos))
  end

  local function too_deep(depth, pos)
    raise(format("Found too many nested data structures (%d) at character %d", depth, pos))
  end

  local read_array, read_object

  -- The number or word at `pos`, whose first character is `c`, and where it ends.
  local function read_other(pos, c)
    if c and (c >= 48 and c <= 57 or c == 45) then
      local _, stop = find(text, "^-?[1-9]%d*%.?%d*", pos)
      if stop then
        local behind = byte(text, stop + 1)
        if behind ~= 101 and behind ~= 69 then
          return tonumber(sub(text, pos, stop)), stop + 1
        end
      end
      if not decode_invalid and is_invalid_number(text, pos) then
        unexpected("value", pos)
      end
      local value
      value, stop = read_number(text, pos)
      if not value then
        unexpected("value", pos)
      end
      return value, stop
    elseif c == 116 and sub(text, pos, pos + 3) == "true" then
      return true, pos + 4
    elseif c == 102 and sub(text, pos, pos + 4) == "false" then
      return false, pos + 5
    elseif c == 110 and sub(text, pos, pos + 3) == "null" then
      return null, pos + 4
    elseif decode_invalid and is_invalid_number(text, pos) then
      local value, stop = read_number(text, pos)
      if value then
        return value, stop
      end
    end
    unexpected("value", pos)
  end

  -- The value at `pos`, where no space is, and where it ends.
  local function read_value(pos, depth, used)
    local c = byte(text, pos)
    if c == 34 then
      local value, stop = match(text, rest_of_string, pos + 1)
      if not value then
        value, stop = read_string(text, pos + 1)
        if not value then
          unexpected("value", pos)
        end
      end
      return value, stop
    elseif c == 123 then
      return read_object(pos, depth + 1, used)
    elseif c == 91 then
      return read_array(pos, depth + 1, used)
    end
    return read_other(pos, c)
  end

  function read_array(pos, depth, used)
    if depth > decode_max_depth or used + 2 > STACK then
      too_deep(depth, pos)
    end
    local array, i = {}, 0
    pos = find(text, "[^ \t\n\r]", pos + 1) or #text + 1
    local c = byte(text, pos)
    if c == 93 then
      if array_metatables then
        setmetatable(array, { __is_cjson_array = true }) -- no script shares it with others
      end
      return array, pos + 1
    end
    while true do
      local value
      if c == 34 then
        local stop
        value, stop = match(text, rest_of_string, pos + 1)
        if not value then
          value, stop = read_string(text, pos + 1)
          if not value then
            unexpected("value", pos)
          end
        end
        pos = stop
      elseif c == 123 then
        value, pos = read_object(pos, depth + 1, used + 1)
      elseif c == 91 then
        value, pos = read_array(pos, depth + 1, used + 1)
      else
        value, pos = read_other(pos, c)
      end
      i = i + 1
      array[i] = value
      c = byte(text, pos)
      if c ~= 44 and c ~= 93 then
        pos = find(text, "[^ \t\n\r]", pos) or #text + 1
        c = byte(text, pos)
      end
      if c == 93 then
        return array, pos + 1
      elseif c ~= 44 then
        unexpected("comma or array end", pos)
      end
      pos = pos + 1
      c = byte(text, pos)
      if c == 32 or c == 10 or c == 13 or c == 9 then
        pos = find(text, "[^ \t\n\r]", pos) or #text + 1
        c = byte(text, pos)
      end
    end
  end

  function read_object(pos, depth, used)
    if depth > decode_max_depth or used + 3 > STACK then
      too_deep(depth, pos)
    end
    local object = {}
    local open = pos
    pos = pos + 1
    while true do
      local key, at = match(text, key_and_colon, pos)
      if not key then
        key, at = match(text, spaced_key_and_colon, pos)
      end
      if not key then
        at = find(text, "[^ \t\n\r]", pos) or #text + 1
        local c = byte(text, at)
        if c == 125 and pos == open + 1 then
          return object, at + 1
        elseif c ~= 34 then
          unexpected("object key string", at)
        end
        local stop
        key, stop = read_string(text, at + 1)
        if not key then
          unexpected("object key string", at)
        end
        at = match(text, "^[ \t\n\r]*:[ \t\n\r]*()", stop)
        if not at then
          unexpected("colon", stop)
        end
      end
      local value
      local c = byte(text, at)
      if c == 32 or c == 10 or c == 13 or c == 9 then
        at = find(text, "[^ \t\n\r]", at) or #text + 1
        c = byte(text, at)
      end
      if c == 34 then
        value, pos = match(text, rest_of_string, at + 1)
        if not value then
          value, pos = read_string(text, at + 1)
          if not value then
            unexpected("value", at)
          end
        end
      elseif c == 123 then
        value, pos = read_object(at, depth + 1, used + 2)
      elseif c == 91 then
        value, pos = read_array(at, depth + 1, used + 2)
      else
        value, pos = read_other(at, c)
      end
      object[key] = value
      c = byte(text, pos)
      if c ~= 44 and c ~= 125 then
        pos = find(text, "[^ \t\n\r]", pos) or #text + 1
        c = byte(text, pos)
      end
      if c == 125 then
        return object, pos + 1
      elseif c ~= 44 then
        unexpected("comma or object end", pos)
      end
      pos = pos + 1
    end
  end

  function library.decode(...)
    if select("#", ...) ~= 1 then
      bad_argument(1, "expected 1 argument")
    end
    text = check_string(1, (...))
    local first, second = byte(text, 1, 2)
    if second and (first == 0 or second == 0) then
      raise("JSON parser does not support UTF-16 or UTF-32")
    end
    if find(text, "\\", 1, true) or find(text, "\0", 1, true) then
      rest_of_string = '^([^"\\%z]*)"()'
      key_and_colon = '^"([^"\\%z]*)":()'
      spaced_key_and_colon = '^[ \t\n\r]*"([^"\\%z]*)"[ \t\n\r]*:[ \t\n\r]*()'
    else
      rest_of_string = '^([^"]*)"()'
      key_and_colon = '^"([^"]*)":()'
      spaced_key_and_colon = '^[ \t\n\r]*"([^"]*)"[ \t\n\r]*:[ \t\n\r]*()'
    end
    local value, pos = read_value(find(text, "[^ \t\n\r]") or #text + 1, 0, 1)
    if pos <= #text then
      pos = find(text, "[^ \t\n\r]", pos)
      if pos and byte(text, pos) ~= 0 then
        unexpected("the end", pos)
      end
    end
    text = nil
    return value
  end

  -- Settings: each function sets what it is given, and returns what is set.

  local function check_count(most, ...)
    if select("#", ...) > most then
      bad_argument(most + 1, "found too many arguments")
    end
  end

  local function integer_option(index, value, now, least, most)
    if value == nil then
      return now
    end
    value = check_integer(index, value)
    if value < least or value > most then
      bad_argument(1, format("expected integer between %d and %d", least, most))
    end
    return value
  end

  local function choice(index, value, now, choices)
    if value == nil then
      return now
    elseif type(value) == "boolean" then
      return value
    end
    local name = check_string(index, value)
    local chosen = choices[name]
    if chosen == nil then
      bad_argument(index, format("invalid option '%s'", match(name, "^[^%z]*")))
    end
    return chosen
  end

  function library.encode_sparse_array(...)
    check_count(3, ...)
    local convert, ratio, safe = ...
    sparse_convert = choice(1, convert, sparse_convert, OFF_ON)
    sparse_ratio = integer_option(2, ratio, sparse_ratio, 0, INT_MAX)
    sparse_safe = integer_option(3, safe, sparse_safe, 0, INT_MAX)
    return sparse_convert, sparse_ratio, sparse_safe
  end

  function library.encode_max_depth(...)
    check_count(1, ...)
    encode_max_depth = integer_option(1, (...), encode_max_depth, 1, INT_MAX)
    return encode_max_depth
  end

  function library.decode_max_depth(...)
    check_count(1, ...)
    decode_max_depth = integer_option(1, (...), decode_max_depth, 1, INT_MAX)
    return decode_max_depth
  end

  function library.encode_number_precision(...)
    check_count(1, ...)
    precision = integer_option(1, (...), precision, 1, 14)
    number_format = "%." .. precision .. "g"
    return precision
  end

  function library.encode_keep_buffer(...)
    check_count(1, ...)
    keep_buffer = choice(1, (...), keep_buffer, OFF_ON)
    return keep_buffer
  end

  function library.encode_invalid_numbers(...)
    check_count(1, ...)
    encode_invalid = choice(1, (...), encode_invalid, OFF_ON_NULL)
    return encode_invalid
  end

  function library.decode_invalid_numbers(...)
    check_count(1, ...)
    decode_invalid = choice(1, (...), decode_invalid, OFF_ON)
    return decode_invalid
  end

  function library.decode_array_with_array_mt(...)
    check_count(1, ...)
    array_metatables = choice(1, (...), array_metatables, OFF_ON)
    return array_metatables
  end

  library.new = new
  entry(library)
  return library
end

return new()
