-- Binary records for scripts, as the library of this name in Redis: same formats, bytes and errors.
--
-- A chunk that returns the library's table; see cjson.lua.

local support, binary = ...
local bad_argument, raise = support.bad_argument, support.raise
local check_string, check_number = support.check_string, support.check_number
local check_integer = support.check_integer

local byte, char, find, format = string.byte, string.char, string.find, string.format
local match, rep, reverse, sub = string.match, string.rep, string.reverse, string.sub
local concat = table.concat
local select, tonumber, type, unpack = select, tonumber, type, unpack
local double, double_bytes = binary.double, binary.double_bytes
local float, float_word = binary.float, binary.float_word
local integer_words, unsigned = binary.integer_words, binary.unsigned
local word_bytes = binary.word_bytes

local STACK = 8000
local INT_MAX = 2147483647
local LARGEST_INTEGER = 32
local LARGEST_ALIGNMENT = 8

local SIZES = { b = 1, B = 1, h = 2, H = 2, l = 8, L = 8, T = 8, f = 4, d = 8, x = 1 }
local INTEGERS = { b = true, h = true, l = true, i = true, B = false, H = false, L = false,
  T = false, I = false } -- true: with a sign

local library = {}

-- The number in the format at `pos`, and where it ends; `default` when there is none.
local function read_number(text, pos, default)
  local digits = match(text, "^%d+", pos)
  if not digits then
    return default, pos
  end
  local number = tonumber(digits)
  if number > INT_MAX then
    raise("integral size overflow")
  end
  return number, pos + #digits
end

-- The size of the option at `pos - 1`, and where what follows it begins.
local function option_size(text, pos, option)
  local size = SIZES[option]
  if size then
    return size, pos
  elseif option == "c" then
    return read_number(text, pos, 1)
  elseif option == "i" or option == "I" then
    size, pos = read_number(text, pos, 4)
    if size > LARGEST_INTEGER then
      raise(format("integral size %d is larger than limit of %d", size, LARGEST_INTEGER))
    end
    return size, pos
  end
  return 0, pos
end

local function common_bits(a, b)
  local result, power = 0, 1
  while b > 0 do
    local last = b % 2
    result = result + power * last * (a % 2)
    a, b, power = (a - a % 2) / 2, (b - last) / 2, power * 2
  end
  return result
end

-- How many bytes are left out before an option at `place`.
local function padding(place, alignment, option, size)
  if size == 0 or option == "c" then
    return 0
  end
  if size > alignment then
    size = alignment
  end
  -- For sizes that are no power of two this aligns nothing, but all do it so.
  return common_bits(size - common_bits(place, size - 1), size - 1)
end

-- Follow an option that is about the format itself: the byte order, the alignment and the place
-- in the format from then on.
local function control(text, pos, option, big, alignment)
  if option == " " then
    return big, alignment, pos
  elseif option == ">" then
    return true, alignment, pos
  elseif option == "<" then
    return false, alignment, pos
  elseif option == "!" then
    alignment, pos = read_number(text, pos, LARGEST_ALIGNMENT)
    local power = alignment
    while power > 1 and power % 2 == 0 do
      power = power / 2
    end
    if power ~= 1 then
      raise(format("alignment %d is not a power of 2", alignment))
    end
    return big, alignment, pos
  end
  bad_argument(1, "invalid format option '" .. option .. "'")
end

local function check_format(text, missing)
  text = check_string(1, text, missing)
  return match(text, "^[^%z]*")
end

-- The words of a number as C converts it: cut toward zero; 2^63 for what has no place.
local function words(number)
  if number ~= number then
    return 2147483648, 0
  elseif number < 0 then
    if number < -9223372036854775808 then
      return 2147483648, 0
    end
    number = number + -number % 1
  else
    if number >= 18446744073709551616 then
      return 0, 0
    end
    number = number - number % 1
  end
  return integer_words(number)
end

local function integer_bytes(number, size, big)
  local high, low = words(number)
  local bytes = word_bytes(high) .. word_bytes(low)
  if size < 8 then
    bytes = sub(bytes, 9 - size)
  elseif size > 8 then
    bytes = rep("\0", size - 8) .. bytes
  end
  return big and bytes or reverse(bytes)
end

function library.pack(...)
  local count = select("#", ...)
  local arguments = { ... }
  local text = check_format(arguments[1], count == 0)
  local out, n, total = {}, 0, 0
  local big, alignment = false, 1
  local pos, index = 1, 1
  while pos <= #text do
    local option = sub(text, pos, pos)
    local size
    size, pos = option_size(text, pos + 1, option)
    if alignment > 1 then
      local skipped = padding(total, alignment, option, size)
      if skipped > 0 then
        n = n + 1
        out[n] = rep("\0", skipped)
        total = total + skipped
      end
    end
    if INTEGERS[option] ~= nil then
      index = index + 1
      local number = check_number(index, arguments[index])
      n = n + 1
      if size == 1 and number >= 0 and number < 256 then
        out[n] = char(number)
      else
        out[n] = integer_bytes(number, size, big)
      end
    elseif option == "x" then
      n = n + 1
      out[n] = "\0"
    elseif option == "f" or option == "d" then
      index = index + 1
      local number = check_number(index, arguments[index])
      local bytes
      if option == "f" then
        bytes = word_bytes(float_word(number))
      else
        bytes = double_bytes(number)
      end
      n = n + 1
      out[n] = big and bytes or reverse(bytes)
    elseif option == "c" or option == "s" then
      index = index + 1
      local value = check_string(index, arguments[index])
      if size == 0 then
        size = #value
      elseif size > #value then
        bad_argument(index + 1, "string too short")
      end
      n = n + 1
      out[n] = size == #value and value or sub(value, 1, size)
      if option == "s" then
        n = n + 1
        out[n] = "\0"
        size = size + 1
      end
    else
      big, alignment, pos = control(text, pos, option, big, alignment)
    end
    total = total + size
  end
  return concat(out)
end

-- The integer of so many bytes at `place` (from 0).
local function integer_at(data, place, size, big, is_signed)
  if size == 1 then
    local value = byte(data, place + 1)
    return is_signed and value >= 128 and value - 256 or value
  end
  local first, last, step = place + size, place + 1, -1
  if big then
    first, last, step = place + 1, place + size, 1
  end
  local high, low = 0, 0
  for i = first, last, step do
    local moved = low * 256
    low = moved % 4294967296 + byte(data, i)
    high = (high * 256 + (moved - moved % 4294967296) / 4294967296) % 4294967296
  end
  if not is_signed then
    return unsigned(high, low)
  end
  -- Where a bit is set from that of the sign on, all are: for more than 8 bytes C gets this wrong,
  -- and what was packed must come out as it does there.
  local sign = (size * 8 - 1) % 64
  if sign < 32 then
    local limit = 2 ^ sign
    if high > 0 or low >= limit then
      return low % limit - limit
    end
    return low
  end
  local limit = 2 ^ (sign - 32)
  if high >= limit then
    high = high % limit - limit
  end
  return unsigned(high, low)
end

function library.unpack(...)
  local count = select("#", ...)
  local text, data, position = ...
  text = check_format(text, count == 0)
  data = check_string(2, data, count < 2)
  local place = position == nil and 1 or check_integer(3, position)
  if place == 0 then
    bad_argument(3, "offset must be 1 or greater")
  end
  place = place - 1
  local length = #data
  local values, n = {}, 0
  local big, alignment = false, 1
  local pos = 1
  while pos <= #text do
    local option = sub(text, pos, pos)
    local size
    size, pos = option_size(text, pos + 1, option)
    if alignment > 1 then
      place = place + padding(place, alignment, option, size)
    end
    if place < 0 or size > length - place then
      bad_argument(2, "data string too short")
    elseif n + count + 2 > STACK then
      raise("stack overflow (too many results)")
    end
    local is_signed = INTEGERS[option]
    if is_signed ~= nil then
      n = n + 1
      values[n] = size > 0 and integer_at(data, place, size, big, is_signed) or 0
    elseif option == "f" or option == "d" then
      local bytes = sub(data, place + 1, place + size)
      if not big then
        bytes = reverse(bytes)
      end
      local a, b, c, d, e, f, g, h = byte(bytes, 1, 8)
      local high = ((a * 256 + b) * 256 + c) * 256 + d
      n = n + 1
      if option == "f" then
        values[n] = float(high)
      else
        values[n] = double(high, ((e * 256 + f) * 256 + g) * 256 + h)
      end
    elseif option == "c" then
      if size == 0 then
        local last = values[n]
        if n == 0 or not tonumber(last) then
          raise("format 'c0' needs a previous size")
        end
        n = n - 1
        size = unsigned(words(tonumber(last)))
        if size > length - place then
          bad_argument(2, "data string too short")
        end
      end
      n = n + 1
      values[n] = sub(data, place + 1, place + size)
    elseif option == "s" then
      local stop = find(data, "%z", place + 1)
      if not stop then
        raise("unfinished string in data")
      end
      n = n + 1
      values[n] = sub(data, place + 1, stop - 1)
      size = stop - place
    elseif option ~= "x" then
      big, alignment, pos = control(text, pos, option, big, alignment)
    end
    place = place + size
  end
  values[n + 1] = place + 1
  return unpack(values)
end

function library.size(...)
  local text = check_format((...), select("#", ...) == 0)
  local big, alignment, total = false, 1, 0
  local pos = 1
  while pos <= #text do
    local option = sub(text, pos, pos)
    local size
    size, pos = option_size(text, pos + 1, option)
    total = total + padding(total, alignment, option, size)
    if option == "s" then
      bad_argument(1, "option 's' has no fixed size")
    elseif option == "c" and size == 0 then
      bad_argument(1, "option 'c0' has no fixed size")
    elseif not find(option, "%w") then
      big, alignment, pos = control(text, pos, option, big, alignment)
    end
    total = total + size
  end
  return total
end

support.entry(library)
return library
