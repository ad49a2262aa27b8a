-- Operations on words of 32 bits for scripts, as the library of this name in Redis.
--
-- A chunk that returns the library's table; see cjson.lua. Results are signed. What two words have
-- in common is looked up byte by byte; everything else follows from that by arithmetic.

local support = ...
local check_number = support.check_number

local frexp = math.frexp
local format, sub, upper = string.format, string.sub, string.upper
local select, type = select, type

local WORD = 4294967296
local ROUNDING = 6755399441055744 -- 2^52 + 2^51: a sum with it has no bits for a fraction

local library = {}

-- The word that a number stands for: its nearest integer, the even one of two, cut to 32 bits. Of
-- numbers for which that makes no sense it is the last bits of the double, as the C library has it.
local function word(index, number, missing)
  if type(number) ~= "number" then
    number = check_number(index, number, missing)
  end
  local sum = number + ROUNDING
  if sum >= 4503599627370496 and sum < 9007199254740992 then
    return sum % WORD
  elseif sum ~= sum or sum * 0 ~= 0 then
    return 0
  end
  return frexp(sum < 0 and -sum or sum) * 9007199254740992 % WORD
end

local function signed(number)
  if number >= 2147483648 then
    return number - WORD
  end
  return number
end

-- What the bytes a and b have in common, at 256 * a + b. It takes 1 MB: made when it is needed.
local both

local function make_both()
  both = { [0] = 0 }
  for a = 0, 255 do
    local last = a % 2
    for b = 0, 255 do
      local index = 128 * (a - last) + (b - b % 2) / 2
      both[256 * a + b] = last * (b % 2) + 2 * (both[index] or 0)
    end
  end
end

-- What two words have in common.
local function intersection(a, b)
  if not both then
    make_both()
  end
  local a1, b1 = a % 256, b % 256
  a = (a - a1) / 256
  b = (b - b1) / 256
  local a2, b2 = a % 256, b % 256
  a = (a - a2) / 256
  b = (b - b2) / 256
  local a3, b3 = a % 256, b % 256
  a = (a - a3) / 256
  b = (b - b3) / 256
  return both[256 * a1 + b1] + 256 * both[256 * a2 + b2] + 65536 * both[256 * a3 + b3]
    + 16777216 * both[256 * a + b]
end

function library.tobit(...)
  local value = word(1, (...), select("#", ...) == 0)
  return signed(value)
end

function library.bnot(...)
  local value = word(1, (...), select("#", ...) == 0)
  return signed(WORD - 1 - value)
end

function library.band(...)
  local count = select("#", ...)
  local first, second = ...
  local value = word(1, first, count == 0)
  if count > 1 then
    value = intersection(value, (word(2, second)))
  end
  for index = 3, count do
    value = intersection(value, (word(index, (select(index, ...)))))
  end
  return signed(value)
end

function library.bor(...)
  local count = select("#", ...)
  local first, second = ...
  local value = word(1, first, count == 0)
  if count > 1 then
    second = word(2, second)
    value = value + second - intersection(value, second)
  end
  for index = 3, count do
    local other = word(index, (select(index, ...)))
    value = value + other - intersection(value, other)
  end
  return signed(value)
end

function library.bxor(...)
  local count = select("#", ...)
  local first, second = ...
  local value = word(1, first, count == 0)
  if count > 1 then
    second = word(2, second)
    value = value + second - 2 * intersection(value, second)
  end
  for index = 3, count do
    local other = word(index, (select(index, ...)))
    value = value + other - 2 * intersection(value, other)
  end
  return signed(value)
end

-- The two arguments of a shift, the second cut to 0..31.
local function operands(...)
  local count = select("#", ...)
  local first, second = ...
  local value = word(1, first, count == 0)
  return value, word(2, second, count < 2) % 32
end

function library.lshift(...)
  local value, bits = operands(...)
  return signed(value * 2 ^ bits % WORD)
end

function library.rshift(...)
  local value, bits = operands(...)
  local rest = value % 2 ^ bits
  return signed((value - rest) / 2 ^ bits)
end

function library.arshift(...)
  local value, bits = operands(...)
  local rest = value % 2 ^ bits
  value = signed(value)
  return (value - rest) / 2 ^ bits
end

function library.rol(...)
  local value, bits = operands(...)
  local high = value * 2 ^ bits
  local low = high % WORD
  return signed(low + (high - low) / WORD)
end

function library.ror(...)
  local value, bits = operands(...)
  local rest = value % 2 ^ bits
  return signed((value - rest) / 2 ^ bits + rest * 2 ^ (32 - bits) % WORD)
end

function library.bswap(...)
  local value = word(1, (...), select("#", ...) == 0)
  local d = value % 256
  value = (value - d) / 256
  local c = value % 256
  value = (value - c) / 256
  local b = value % 256
  return signed(d * 16777216 + c * 65536 + b * 256 + (value - b) / 256)
end

function library.tohex(...)
  local count = select("#", ...)
  local value = word(1, (...), count == 0)
  local digits = 8
  if count > 1 then
    digits = signed(word(2, (select(2, ...))))
  end
  local text = format("%08x", value)
  if digits < 0 then
    digits = -digits
    text = upper(text)
  end
  if digits >= 8 then
    return text
  end
  return sub(text, 9 - digits)
end

support.entry(library)
return library
