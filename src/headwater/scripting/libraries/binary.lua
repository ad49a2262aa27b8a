-- Numbers and the bytes they are stored as: what cmsgpack and struct have in common.
--
-- Lua has no integers of 64 bits and no view of a double's bits; both are made here of two words
-- of 32 bits, `high` and `low`, by arithmetic that is exact in doubles.

local char, find, format = string.char, string.find, string.format
local frexp, huge, ldexp = math.frexp, math.huge, math.ldexp

local WORD = 4294967296
local binary = {}

-- 0/0, once with each sign; which of them a processor makes of it differs.
local NAN = 0 / 0
if find(format("%f", NAN), "-", 1, true) then
  NAN = -NAN
end
local function is_negative(number)
  if number > 0 or number < 0 then
    return number < 0
  end
  return 1 / number < 0 or number ~= number and find(format("%f", number), "-", 1, true) == 1
end

-- The words of an integer (a double without fraction) from -2^63 up to below 2^64.
function binary.integer_words(number)
  local low = number % WORD
  return (number - low) / WORD % WORD, low
end

-- The number that two words are, without a sign, or with one.
function binary.unsigned(high, low)
  return high * WORD + low
end

function binary.signed(high, low)
  if high >= 2147483648 then
    high = high - WORD
  end
  return high * WORD + low
end

-- The words of a double.
function binary.double_words(number)
  local sign = is_negative(number) and 2147483648 or 0
  if number ~= number then
    return sign + 0x7ff80000, 0
  end
  if number < 0 then
    number = -number
  end
  if number == 0 then
    return sign, 0
  elseif number == huge then
    return sign + 0x7ff00000, 0
  end
  local fraction, exponent = frexp(number)
  local high, bits = 0, nil
  if exponent > -1022 then
    bits = fraction * 9007199254740992
    high = (exponent + 1021) * 1048576 -- the first bit of the fraction adds one to the exponent
  else
    bits = ldexp(fraction, exponent + 1074)
  end
  local low = bits % WORD
  return sign + high + (bits - low) / WORD, low
end

-- The eight bytes of a double, the highest first.
function binary.double_bytes(number)
  local high, low = binary.double_words(number)
  local d, h = high % 256, low % 256
  high, low = (high - d) / 256, (low - h) / 256
  local c, g = high % 256, low % 256
  high, low = (high - c) / 256, (low - g) / 256
  local b, f = high % 256, low % 256
  return char((high - b) / 256, b, c, d, (low - f) / 256, f, g, h)
end

-- The double that two words are.
function binary.double(high, low)
  local negative = high >= 2147483648
  if negative then
    high = high - 2147483648
  end
  local top = high % 1048576
  local exponent = (high - top) / 1048576
  local bits = top * WORD + low
  local number
  if exponent == 2047 then
    number = bits == 0 and huge or NAN
  elseif exponent == 0 then
    number = ldexp(bits, -1074)
  else
    number = ldexp(bits + 4503599627370496, exponent - 1075)
  end
  if negative then
    return -number
  end
  return number
end

-- The word of the float that is nearest to a number.
function binary.float_word(number)
  local sign = is_negative(number) and 2147483648 or 0
  if number ~= number then
    return sign + 0x7fc00000
  end
  if number < 0 then
    number = -number
  end
  if number == 0 then
    return sign
  elseif number == huge then
    return sign + 0x7f800000
  end
  local fraction, exponent = frexp(number)
  local bits, above
  if exponent > -126 then
    bits = fraction * 16777216
    above = (exponent + 125) * 8388608
  else
    bits = number * 2 ^ 149
    above = 0
  end
  local rest = bits % 1
  bits = bits - rest
  if rest > 0.5 or rest == 0.5 and bits % 2 == 1 then
    bits = bits + 1
  end
  local word = above + bits
  if word > 0x7f800000 then
    word = 0x7f800000
  end
  return sign + word
end

-- The number that a float's word is.
function binary.float(word)
  local negative = word >= 2147483648
  if negative then
    word = word - 2147483648
  end
  local bits = word % 8388608
  local exponent = (word - bits) / 8388608
  local number
  if exponent == 255 then
    number = bits == 0 and huge or NAN
  elseif exponent == 0 then
    number = ldexp(bits, -149)
  else
    number = ldexp(bits + 8388608, exponent - 150)
  end
  if negative then
    return -number
  end
  return number
end

-- The four bytes of a word, the highest first.
function binary.word_bytes(word)
  local d = word % 256
  word = (word - d) / 256
  local c = word % 256
  word = (word - c) / 256
  local b = word % 256
  return char((word - b) / 256, b, c, d)
end

return binary
