-- What the libraries share: errors as a C library raises them, arguments as it checks them.
--
-- Errors carry the position of the script that called the library, whoever noticed inside. So
-- every function that a script can call is noted (`entry`), and raising looks for the one
-- through which the script came; that costs nothing until there is an error.

local error, floor, format, match = error, math.floor, string.format, string.match
local getinfo, next, tonumber, tostring, type = debug.getinfo, next, tonumber, tostring, type

local support = {}
local entries = setmetatable({}, { __mode = "k" })

-- Note the functions of a library, which scripts will be given.
function support.entry(library)
  for _, member in next, library do
    if type(member) == "function" then
      entries[member] = true
    end
  end
end

-- The level, seen from who calls this, of the function that the script called.
local function entry_level()
  local level = 3
  while true do
    local info = getinfo(level, "f")
    if not info then
      return nil
    elseif entries[info.func] then
      return level - 1
    end
    level = level + 1
  end
end

-- Raise an error at the script's line; `bare`: without telling the line.
function support.raise(message, bare)
  local level = not bare and entry_level()
  error(message, level and level + 1 or 0)
end

-- Raise the error for the script's argument with this number.
function support.bad_argument(index, message)
  local level = entry_level()
  local info = level and getinfo(level, "n")
  local name = info and info.name
  if info and info.namewhat == "method" then
    index = index - 1
    if index == 0 then
      error(format("calling '%s' on bad self (%s)", name, message), level + 1)
    end
  end
  message = format("bad argument #%d to '%s' (%s)", index, name or "?", message)
  error(message, level and level + 1 or 0)
end
local bad_argument = support.bad_argument

local function wrong_type(index, expected, value, missing)
  local got = missing and "no value" or type(value)
  bad_argument(index, format("%s expected, got %s", expected, got))
end

-- The value as a string; a number is one too. `missing`: there was no such argument.
function support.check_string(index, value, missing)
  local kind = type(value)
  if kind == "string" then
    return value
  elseif kind == "number" then
    return tostring(value)
  end
  wrong_type(index, "string", value, missing)
end

-- The value as a number; a string that reads as one is one too.
local function check_number(index, value, missing)
  if type(value) == "number" then
    return value
  end
  local number = type(value) == "string" and tonumber(value)
  if number then
    return number
  end
  wrong_type(index, "number", value, missing)
end
support.check_number = check_number

-- The value as an integer of 64 bits: cut toward zero, the smallest when it is none.
function support.check_integer(index, value, missing)
  local number = check_number(index, value, missing)
  if number >= -9223372036854775808 and number < 9223372036854775808 then
    return number < 0 and -floor(-number) or floor(number)
  end
  return -9223372036854775808
end

support.null = newproxy()
return support
