-- The world that scripts live in: one chunk, run once for each VM (vm.py says with what).
--
-- Scripts get an environment of their own, made of what is allowed, and never see the state's
-- global table, the debug library, or anything of Python: what calls Python are upvalues of the
-- closures here. Libraries and globals are proxies that refuse to be written (`readonly`); the
-- few functions that go past metatables (rawset, next, table.insert, ...) look that up.

local host, libraries, label = ...
local host_call, host_packed, host_tick = host.call, host.packed, host.tick
local host_log, host_sha1, host_acl, host_number = host.log, host.sha1, host.acl, host.number
local host_patch, host_protocol, host_reason = host.patch, host.protocol, host.reason
local PATTERN_MAX, HOOK_EVERY, PACK_FROM = host.pattern_max, host.hook_every, host.pack_from
local DEPTH_MAX = host.depth_max

local type, error, select, tostring, tonumber = type, error, select, tostring, tonumber
local rawget, rawset, next, unpack, pairs = rawget, rawset, next, unpack, pairs
local setmetatable, getmetatable, setfenv = setmetatable, getmetatable, setfenv
local pcall, xpcall, load, loadstring = pcall, xpcall, load, loadstring
local collectgarbage, resume = collectgarbage, coroutine.resume
local create, wrap = coroutine.create, coroutine.wrap
local insert, setn = table.insert, table.setn
local foreach, foreachi, concat = table.foreach, table.foreachi, table.concat
local find, match, gmatch, gsub = string.find, string.match, string.gmatch, string.gsub
local byte, format, sub = string.byte, string.format, string.sub
local lower = string.lower
local floor = math.floor
local getinfo, sethook, dump = debug.getinfo, debug.sethook, string.dump

local OURS = {[getinfo(1, "S").source] = true, ["=support"] = true, ["=binary"] = true}
for name in next, libraries do OURS["=" .. name] = true end
local PLACE = getinfo(1, "S").short_src .. ":"
local READONLY = "Attempt to modify a readonly table"
local null = libraries.cjson and libraries.cjson.null

local environment -- what scripts see as their globals

-- Errors.

-- The first frame of the stack that is a script's own, or nil.
local function script_frame()
  local level = 2
  local info = getinfo(level, "Sl")
  while info and (info.what == "C" or info.what == "tail" or OURS[info.source]) do
    level = level + 1
    info = getinfo(level, "Sl")
  end
  return info
end

-- What went wrong inside of a function of this file went wrong where the script called it.
local function relocated(message)
  if sub(message, 1, #PLACE) ~= PLACE then return message end
  local info = script_frame()
  message = gsub(message, "^[^:]*:%d+: ", "")
  if not info then return message end
  return info.short_src .. ":" .. info.currentline .. ": " .. message
end

local function on_caught(err)
  local kind = type(err)
  if kind == "string" then return relocated(err) end
  if kind == "userdata" and err ~= null then return tostring(err) end
  return err
end

local function redis_error(text)
  error({err = "ERR " .. text}, 0)
end

-- {text, source, line, whether it was counted} of an error that ends the script.
local function on_error(err)
  local info = script_frame()
  local text
  if type(err) == "table" then
    text = rawget(err, "err")
    if type(text) == "number" then text = tostring(text) end
    if type(text) ~= "string" then text = "ERR unknown error" end
  elseif type(err) == "string" then
    text = "ERR " .. relocated(err)
  else
    text = "ERR " .. tostring(err)
  end
  local counted = type(err) == "table" and rawget(err, "ignore_error_stats_update") or false
  if info then return {text, info.source, info.currentline, counted} end
  return {text, "", -1, counted}
end

-- Tables that can not be written.

local readonly = {}

local function refuse_write()
  error(READONLY, 2)
end

local function protect(real)
  local proxy = setmetatable({}, {__index = real, __newindex = refuse_write})
  readonly[proxy] = real
  return proxy
end

local function check_writable(t)
  if t ~= nil and readonly[t] then error(READONLY, 0) end
end

-- Time, and being killed.

local killed = false
local run, apply, unstage

local function tick()
  if not host_tick() then
    if killed then
      killed = false -- it was another script
      sethook(tick, "", HOOK_EVERY)
    end
    return
  end
  local interrupted = getinfo(2, "f").func
  if interrupted == unstage or killed and (interrupted == run or interrupted == apply) then
    killed = false -- the script is over
    sethook(tick, "", HOOK_EVERY)
    return
  end
  killed = true
  -- From now on at every instruction, so that no pcall of the script's goes on behind it.
  sethook(tick, "", 1)
  error({err = "ERR " .. host_reason()}, 0)
end

sethook(tick, "", HOOK_EVERY)

-- Replies of commands, as Lua values. `host_call` returns one plain value, or more:
-- value, kind, ...

local PLAIN_ARRAY, STATUS, FAILURE, DEEP, KILLED = 1, 2, 3, 4, 5

local decode

local function receive(value, kind, ...)
  if kind == nil then return value end
  if kind == PLAIN_ARRAY then return {value, ...} end
  if kind == STATUS then return {ok = value} end
  if kind == DEEP then return decode(value, ...) end
  if kind == KILLED then tick() end
  error({err = value, ignore_error_stats_update = ... or nil}, 0)
end

local function receive_protected(value, kind, ...)
  if kind == FAILURE then return {err = value, ignore_error_stats_update = ... or nil} end
  return receive(value, kind, ...)
end

-- A nested reply: `shape` has one letter for each part, in the order in which they are written,
-- and the values come in pieces of what a C call can carry: `host.more()` gives the next ones.
do
  local host_more = host.more
  local shape, at, values, left, have

  local function take()
    if left > have then
      values = {host_more()}
      have = #values
      left = 1
    end
    local value = values[left]
    left = left + 1
    return value
  end

  local function part()
    local letter = byte(shape, at)
    at = at + 1
    if letter == 118 then return take() end                    -- v
    if letter == 42 then                                       -- *
      local n, array = take(), {}
      for i = 1, n do
        if byte(shape, at) == 118 then
          at = at + 1
          if left > have then array[i] = take()
          else array[i] = values[left] left = left + 1 end
        else
          array[i] = part()
        end
      end
      return array
    end
    if letter == 70 then return false end                      -- F
    if letter == 78 then return nil end                        -- N
    if letter == 107 then return {ok = take()} end             -- k
    if letter == 101 then return {err = take()} end            -- e
    if letter == 100 then return {double = take()} end         -- d
    if letter == 98 then return {big_number = take()} end      -- b
    if letter == 116 then                                      -- t
      local kind = take()
      return {verbatim_string = {format = kind, string = take()}}
    end
    local n, made = take(), {}
    if letter == 37 then                                       -- %
      for _ = 1, n do
        local key = part()
        local value = part()
        if key ~= nil then made[key] = value end
      end
      return {map = made}
    end
    for _ = 1, n do                                            -- ~
      local key = part()
      if key ~= nil then made[key] = true end
    end
    return {set = made}
  end

  function decode(letters, ...)
    shape, at, values, left = letters, 1, {...}, 1
    have = #values
    local result = part()
    shape, values = nil, nil
    return result
  end
end

-- What a script returns, as RESP.

local resp3_wanted, resp3_inside = false, false
local function one_line(text)
  return (gsub(text, "[\r\n]", " "))
end

local encode

local function encode_table(value, out, n, depth)
  if depth > DEPTH_MAX then
    out[n + 1] = "-ERR reached lua stack limit\r\n"
    return n + 1
  end
  local field = rawget(value, "err")
  if type(field) == "string" then
    out[n + 1] = "-" .. one_line(field) .. "\r\n"
    return n + 1
  end
  field = rawget(value, "ok")
  if type(field) == "string" then
    out[n + 1] = "+" .. one_line(field) .. "\r\n"
    return n + 1
  end
  field = rawget(value, "double")
  if type(field) == "number" then
    local text = host_number(field)
    if resp3_wanted then out[n + 1] = "," .. text .. "\r\n"
    else out[n + 1] = "$" .. #text .. "\r\n" .. text .. "\r\n" end
    return n + 1
  end
  field = rawget(value, "map")
  if type(field) == "table" then
    field = readonly[field] or field
    n = n + 1
    local head, pairs_ = n, 0
    for key, item in next, field do
      n = encode(key, out, n, depth)
      n = encode(item, out, n, depth)
      pairs_ = pairs_ + 1
    end
    out[head] = resp3_wanted and "%" .. pairs_ .. "\r\n" or "*" .. 2 * pairs_ .. "\r\n"
    return n
  end
  field = rawget(value, "set")
  if type(field) == "table" then
    field = readonly[field] or field
    n = n + 1
    local head, members = n, 0
    for key in next, field do
      n = encode(key, out, n, depth)
      members = members + 1
    end
    out[head] = (resp3_wanted and "~" or "*") .. members .. "\r\n"
    return n
  end
  field = rawget(value, "big_number")
  if type(field) == "string" then
    field = one_line(field)
    if resp3_wanted then out[n + 1] = "(" .. field .. "\r\n"
    else out[n + 1] = "$" .. #field .. "\r\n" .. field .. "\r\n" end
    return n + 1
  end
  field = rawget(value, "verbatim_string")
  if type(field) == "table" then
    local kind, text = rawget(field, "format"), rawget(field, "string")
    if type(kind) == "string" and type(text) == "string" then
      if resp3_wanted then
        kind = sub(kind .. "   ", 1, 3)
        out[n + 1] = "=" .. #text + 4 .. "\r\n" .. kind .. ":" .. text .. "\r\n"
      else
        out[n + 1] = "$" .. #text .. "\r\n" .. text .. "\r\n"
      end
      return n + 1
    end
  end
  n = n + 1
  local head, i = n, 1
  local item = rawget(value, 1)
  while item ~= nil do
    n = encode(item, out, n, depth)
    i = i + 1
    item = rawget(value, i)
  end
  out[head] = "*" .. i - 1 .. "\r\n"
  return n
end

local heads = {} -- of short strings: numbers become text slowly
for i = 0, 255 do heads[i] = "$" .. i .. "\r\n" end

function encode(value, out, n, depth)
  local kind = type(value)
  if kind == "string" then
    local size = #value
    out[n + 1] = heads[size] or "$" .. size .. "\r\n"
    out[n + 2] = value
    out[n + 3] = "\r\n"
    return n + 3
  elseif kind == "number" then
    out[n + 1] = format(":%d\r\n", value)
  elseif kind == "table" then
    return encode_table(value, out, n, depth + 1)
  elseif kind == "boolean" and resp3_inside then
    if resp3_wanted then out[n + 1] = value and "#t\r\n" or "#f\r\n"
    else out[n + 1] = value and ":1\r\n" or ":0\r\n" end
  elseif value == true then
    out[n + 1] = ":1\r\n"
  else
    out[n + 1] = resp3_wanted and "_\r\n" or "$-1\r\n"
  end
  return n + 1
end

-- The random numbers of scripts: a 48-bit congruential generator, whose sequence is the same since
-- the start or the last math.randomseed.

-- In 16-bit limbs, so that every product is exact in a double.

local RANDOM_MAX = 2147483647
local limb0, limb1, limb2 = 0x330E, 0xABCD, 0x1234

local function seed_random(seed)
  seed = seed % 4294967296
  limb0, limb1, limb2 = 0x330E, seed % 65536, floor(seed / 65536)
end

local function next_random()
  local r0 = limb0 * 0xE66D + 11
  local r1 = limb1 * 0xE66D + limb0 * 0xDEEC + floor(r0 / 65536)
  local r2 = limb2 * 0xE66D + limb1 * 0xDEEC + limb0 * 5 + floor(r1 / 65536)
  limb0, limb1, limb2 = r0 % 65536, r1 % 65536, r2 % 65536
  return (limb2 * 32768 + floor(limb1 / 2)) % RANDOM_MAX / RANDOM_MAX
end

local raw_random, raw_randomseed = math.random, math.randomseed

local function integer(value)
  value = tonumber(value)
  if not value then return nil end
  return value < 0 and -floor(-value) or floor(value)
end

local function random(...)
  local n = select("#", ...)
  if n == 0 then return next_random() end
  local low, high = ...
  low, high = integer(low), integer(high)
  if n == 1 and low and low >= 1 then return floor(next_random() * low) + 1 end
  if n == 2 and low and high and low <= high then
    return floor(next_random() * (high - low + 1)) + low
  end
  if n > 2 then error("wrong number of arguments") end
  local random = raw_random -- it says what is wrong
  random(...)
end

local function randomseed(...)
  local value = integer((...))
  if not value then
    local randomseed = raw_randomseed
    randomseed(...)
  end
  seed_random(value)
end

-- What replaces functions of Lua's. They are called by the names that errors show.

local string_meta, globals_meta

-- Whether Lua may unpack from `first` to `last`: it counts them in an int, which overflows unseen.
local function can_unpack(first, last)
  first = first == nil and 1 or integer(first)
  last = last == nil and 1073741823 or integer(last)
  if not first or not last then return true end -- it says what is wrong
  return first >= -2147483648 and last <= 2147483647 and last - first < 2147483647
    and last >= -2147483648 and first <= 2147483647
end

local function prepared(text, name)
  local f, message = loadstring(text, name)
  if not f then return nil, message end
  f = loadstring(host_patch(dump(f)), name)
  return setfenv(f, environment)
end

local NO_MEMORY = "not enough memory" -- as Lua says it

-- A script that has used up its memory does not go on: Python has to push at least a little.
local function check_alive(err)
  if killed then tick() end
  if err == NO_MEMORY then error(NO_MEMORY, 0) end
end

local function relayed(ok, ...)
  if not ok then check_alive((...)) end
  return ok, ...
end

local function caught(ok, ...)
  if ok then return true, ... end
  local err = ...
  check_alive(err)
  if type(err) == "table" then
    local text = rawget(err, "err")
    if type(text) == "string" or type(text) == "number" then return false, text end
  end
  return false, err
end

local function resumed(ok, ...)
  if ok then return true, ... end
  check_alive((...))
  return false, on_caught((...))
end

-- Patterns are matched by recursion in C: a very long one could use up the machine's stack.
local function check_pattern(pattern)
  if type(pattern) == "string" and #pattern > PATTERN_MAX then
    error("pattern too complex")
  end
end

local replaced = {
  pcall = function(...)
    local n = select("#", ...)
    if n == 0 then return false, "attempt to call a boolean value" end
    local f = ...
    if type(f) ~= "function" or getinfo(f, "S").what == "C" then return caught(pcall(...)) end
    if n == 1 then return caught(xpcall(f, on_caught)) end
    local arguments = {...}
    return caught(xpcall(function() return f(unpack(arguments, 2, n)) end, on_caught))
  end,
  xpcall = function(...)
    local f, handler = ...
    if select("#", ...) < 2 then return xpcall(...) end
    return relayed(xpcall(f, function(err)
      -- In the middle of a hook no hook is called: a handler without end would have none.
      if killed then return err end
      return handler(on_caught(err))
    end))
  end,
  pairs = function(...)
    local t = ...
    if readonly[t] then
      return function(_, key) return next(readonly[t], key) end, t, nil
    end
    return pairs(...)
  end,
  next = function(...)
    local t, key = ...
    if readonly[t] then return next(readonly[t], key) end
    return next(...)
  end,
  rawget = function(...)
    local t, key = ...
    if readonly[t] then return rawget(readonly[t], key) end
    return rawget(...)
  end,
  rawset = function(...)
    check_writable((...))
    return rawset(...)
  end,
  setmetatable = function(...)
    check_writable((...))
    return setmetatable(...)
  end,
  getmetatable = function(...)
    local value = ...
    if type(value) == "string" then return string_meta end
    if value == environment then return globals_meta end
    if readonly[value] then return nil end
    return getmetatable(...)
  end,
  loadstring = function(...)
    local text, name = ...
    if type(text) ~= "string" then return loadstring(...) end
    if byte(text) == 27 then return nil, "attempt to load a binary chunk" end
    return prepared(text, name == nil and text or name)
  end,
  load = function(...)
    local read, name = ...
    if type(read) ~= "function" then return load(...) end
    local pieces, n = {}, 0
    while true do
      local piece = read()
      if piece == nil or piece == "" then break end
      if type(piece) ~= "string" and type(piece) ~= "number" then
        return nil, "reader function must return a string"
      end
      n = n + 1
      pieces[n] = piece
    end
    local text = concat(pieces)
    if byte(text) == 27 then return nil, "attempt to load a binary chunk" end
    return prepared(text, name == nil and "=(load)" or name)
  end,
  unpack = function(...)
    local _, first, last = ...
    if (first ~= nil or last ~= nil) and not can_unpack(first, last) then
      error("too many results to unpack")
    end
    return unpack(...)
  end,
  collectgarbage = function(option, ...)
    -- The collector is everybody's: it can be asked and urged, not stopped or slowed.
    if option == "stop" or option == "restart" then return 0 end
    if option == "setpause" or option == "setstepmul" then return 200 end
    return collectgarbage(option, ...)
  end,
}

local replaced_in_table = {
  insert = function(...)
    check_writable((...))
    return insert(...)
  end,
  setn = function(...)
    check_writable((...))
    return setn(...)
  end,
  foreach = function(...)
    local t, f = ...
    if readonly[t] then return foreach(readonly[t], f) end
    return foreach(...)
  end,
}

local replaced_in_string = {
  find = function(...)
    local _, pattern, _, plain = ...
    if not plain then check_pattern(pattern) end
    return find(...)
  end,
  match = function(...)
    local _, pattern = ...
    check_pattern(pattern)
    return match(...)
  end,
  gmatch = function(...)
    local _, pattern = ...
    check_pattern(pattern)
    return gmatch(...)
  end,
  gsub = function(...)
    local _, pattern = ...
    check_pattern(pattern)
    return gsub(...)
  end,
}

-- A hook belongs to one thread: each new one gets it.
local replaced_in_coroutine = {
  create = function(...)
    local thread = create(...)
    sethook(thread, tick, "", HOOK_EVERY)
    return thread
  end,
  wrap = function(...)
    local f = ...
    if type(f) ~= "function" then return wrap(...) end
    return wrap(function(...)
      sethook(tick, "", HOOK_EVERY)
      return f(...)
    end)
  end,
  resume = function(...)
    return resumed(resume(...))
  end,
}

-- The module `redis`.

-- Many arguments: Python is given their bytes in one piece.
local function call_packed(n, ...)
  local arguments, lengths = {...}, {}
  for i = 1, n do
    local word = arguments[i]
    if type(word) == "number" then
      word = host_number(word)
      arguments[i] = word
    elseif type(word) ~= "string" then
      return "ERR Lua redis lib command arguments must be strings or integers", FAILURE
    end
    lengths[i] = #word
  end
  return host_packed(concat(arguments), concat(lengths, " "))
end

local function text_of(value)
  if type(value) == "string" then return value end
  if type(value) == "number" then return format("%.14g", value) end
  return nil
end

local redis = {
  LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
  REPL_NONE = 0, REPL_AOF = 1, REPL_SLAVE = 2, REPL_REPLICA = 2, REPL_ALL = 3,
  REDIS_VERSION = host.version, REDIS_VERSION_NUM = host.version_number,
  call = function(...)
    local n = select("#", ...)
    if n >= PACK_FROM then return receive(call_packed(n, ...)) end
    return receive(host_call(...))
  end,
  pcall = function(...)
    local n = select("#", ...)
    if n >= PACK_FROM then return receive_protected(call_packed(n, ...)) end
    return receive_protected(host_call(...))
  end,
  error_reply = function(...)
    local text = text_of((...))
    if type((...)) ~= "string" or select("#", ...) ~= 1 then
      return {err = "ERR wrong number or type of arguments"}
    end
    if byte(text) == 45 then text = sub(text, 2) end
    -- The first word is the error's code, if there are two.
    if not find(text, " ", 1, true) then text = "ERR " .. text end
    return {err = (gsub(text, "[\r\n]+$", ""))}
  end,
  status_reply = function(...)
    if type((...)) ~= "string" or select("#", ...) ~= 1 then
      return {err = "ERR wrong number or type of arguments"}
    end
    return {ok = (...)}
  end,
  sha1hex = function(...)
    if select("#", ...) ~= 1 then redis_error("wrong number of arguments") end
    return host_sha1(text_of((...)) or "")
  end,
  log = function(level, ...)
    local n = select("#", ...)
    if n < 1 then redis_error("redis.log() requires two arguments or more.") end
    level = tonumber(level)
    if not level then redis_error("First argument must be a number (log level).") end
    level = integer(level)
    if level < 0 or level > 3 then redis_error("Invalid log level.") end
    local words, m = {}, 0
    for i = 1, n do
      local word = text_of((select(i, ...)))
      if word then
        m = m + 1
        words[m] = word
      end
    end
    host_log(level, concat(words, " "))
  end,
  setresp = function(...)
    if select("#", ...) ~= 1 then redis_error("redis.setresp() requires one argument.") end
    local version = integer((...))
    if version ~= 2 and version ~= 3 then redis_error("RESP version must be 2 or 3.") end
    resp3_inside = version == 3
    host_protocol(resp3_inside)
  end,
  replicate_commands = function() return true end,
  set_repl = function(...)
    if select("#", ...) ~= 1 then redis_error("redis.set_repl() requires one argument.") end
    local wanted = integer((...)) or 0
    if wanted < 0 or wanted > 3 then
      redis_error("Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
    end
  end,
  breakpoint = function() return false end,
  debug = function() end,
  acl_check_cmd = function(...)
    local words, n = {...}, select("#", ...)
    if n == 0 then redis_error("Please specify at least one argument for this redis lib call") end
    for i = 1, n do
      local word = words[i]
      if type(word) == "number" then words[i] = host_number(word)
      elseif type(word) ~= "string" then
        redis_error("Lua redis lib command arguments must be strings or integers")
      end
    end
    local allowed = host_acl(unpack(words, 1, n))
    if allowed == nil then
      redis_error("Invalid command passed to redis.acl_check_cmd()")
    end
    return allowed
  end,
}

-- The environment.

local function copy(library, changes)
  local made = {}
  for name, value in next, library do made[name] = value end
  for name, value in next, changes do made[name] = value end
  return made
end

local real_string = copy(string, replaced_in_string)
real_string.dump = nil
real_string.gfind = real_string.gmatch
local string_proxy = protect(real_string)
getmetatable("").__index = real_string
string_meta = protect({__index = string_proxy})

local globals = copy({
  assert = assert, error = error, gcinfo = gcinfo, ipairs = ipairs, rawequal = rawequal,
  select = select, tonumber = tonumber, tostring = tostring, type = type,
  _VERSION = _VERSION,
}, replaced)
globals.string = string_proxy
globals.table = protect(copy(table, replaced_in_table))
globals.math = protect(copy(math, {random = random, randomseed = randomseed}))
globals.coroutine = protect(copy(coroutine, replaced_in_coroutine))
globals.os = protect({clock = os.clock})
globals.redis = protect(redis)
for name, library in next, libraries do globals[name] = protect(library) end

local function missing(_, name)
  error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end

setmetatable(globals, {__index = missing})
globals_meta = protect({__index = missing})
environment = protect(globals)
globals._G = environment

-- What Python calls.

local functions, staged = {}, nil

local function finish(ok, result)
  if not ok then
    if type(result) ~= "table" then return "E", "ERR " .. result, "", -1, false end
    return "E", result[1], result[2], result[3], result[4]
  end
  local kind = type(result)
  if kind == "string" or kind == "number" or kind == "boolean" or kind == "nil" then
    return result
  end
  if kind ~= "table" then return nil end
  local err = rawget(result, "err")
  if type(err) == "string" then
    return "F", err, rawget(result, "ignore_error_stats_update") or false
  end
  local out = {}
  encode_table(result, out, 0, 0)
  return "R", concat(out)
end

local function split(keys, first, ...)
  if keys == 1 and not staged then return {first}, {...} end
  local arguments = staged or {first, ...}
  staged = nil
  if keys == 0 then return {}, arguments end
  local names, rest = {}, {}
  for i = 1, keys do names[i] = arguments[i] end
  for i = keys + 1, #arguments do rest[i - keys] = arguments[i] end
  return names, rest
end

-- Lets go of the words of a script that is over, or did not begin.
function unstage()
  staged, globals.KEYS, globals.ARGV = nil, nil, nil
end

-- Runs what is kept under a name, with KEYS and ARGV.
function run(name, resp3, keys, ...)
  resp3_wanted, resp3_inside, killed = resp3, false, false
  globals.KEYS, globals.ARGV = split(keys, ...)
  return finish(xpcall(functions[name], on_error))
end

-- Runs it as a function of (keys, arguments).
function apply(name, resp3, keys, ...)
  resp3_wanted, resp3_inside, killed = resp3, false, false
  local f, first, rest = functions[name], split(keys, ...)
  return finish(xpcall(function() return f(first, rest) end, on_error))
end

-- Libraries of functions: one runs once, to register them, and sees nothing else meanwhile. What
-- it keeps in locals of that time (redis itself) has nothing else later on either.

local load_library
do
  local FLAGS = {["no-writes"] = 1, ["allow-oom"] = 2, ["allow-stale"] = 4, ["no-cluster"] = 8,
    ["allow-cross-slot-keys"] = 16}
  local HOW_NAMED = "calling redis.register_function with a single argument is only applicable"
    .. " to Lua table (representing named arguments)."
  local register, late -- of the load that is going on

  local function check_late()
    if late() then error({err = "ERR FUNCTION LOAD timeout"}, 0) end
  end

  local function flags_of(listed)
    if type(listed) ~= "table" then
      redis_error("flags argument to redis.register_function must be a table representing"
        .. " function flags")
    end
    local seen, sum, i = {}, 0, 1
    local name = rawget(listed, i)
    while name ~= nil do
      name = type(name) == "string" and lower(name)
      local flag = FLAGS[name]
      if not flag then redis_error("unknown flag given") end
      if not seen[name] then sum = sum + flag end
      seen[name] = true
      i = i + 1
      name = rawget(listed, i)
    end
    return sum
  end

  local function by_name(given)
    if type(given) ~= "table" then redis_error(HOW_NAMED) end
    local name, callback, description, flags = nil, nil, nil, 0
    for key, value in next, given do
      key = lower(text_of(key) or "")
      if key == "function_name" then
        name = text_of(value)
        if not name then
          redis_error("function_name argument given to redis.register_function must be a string")
        end
      elseif key == "description" then
        description = text_of(value)
        if not description then
          redis_error("description argument given to redis.register_function must be a string")
        end
      elseif key == "callback" then
        callback = value
        if type(callback) ~= "function" then
          redis_error("callback argument given to redis.register_function must be a function")
        end
      elseif key == "flags" then
        flags = flags_of(value)
      else
        redis_error("unknown argument given to redis.register_function")
      end
    end
    if not name then
      redis_error("redis.register_function must get a function name argument")
    elseif not callback then
      redis_error("redis.register_function must get a callback argument")
    end
    return name, callback, description, flags
  end

  local function register_function(...)
    if not register then
      redis_error("redis.register_function can only be called on FUNCTION LOAD command")
    end
    local count = select("#", ...)
    if count < 1 or count > 2 then
      redis_error("wrong number of arguments to redis.register_function")
    end
    local name, callback, description, flags = ...
    if count == 1 then
      name, callback, description, flags = by_name(name)
    else
      name = text_of(name)
      if not name then
        redis_error("first argument to redis.register_function must be a string")
      elseif type(callback) ~= "function" then
        redis_error("second argument to redis.register_function must be a function")
      end
      description, flags = nil, 0
    end
    local key, problem = register(name, description, flags)
    if not key then redis_error(problem) end
    functions[key] = callback
  end

  local visible = setmetatable({
    redis = protect(setmetatable({
      register_function = register_function, log = redis.log,
      LOG_DEBUG = redis.LOG_DEBUG, LOG_VERBOSE = redis.LOG_VERBOSE,
      LOG_NOTICE = redis.LOG_NOTICE, LOG_WARNING = redis.LOG_WARNING,
      REDIS_VERSION = redis.REDIS_VERSION, REDIS_VERSION_NUM = redis.REDIS_VERSION_NUM,
    }, {__index = missing})),
  }, {__index = missing})
  local switch = getmetatable(environment)

  -- Runs the library's text. `given_register` gets name, description and flags of each function,
  -- and returns the name under which it shall be kept, or nil and what is wrong; `given_late`
  -- tells when it is time to stop. Returns nothing, or what the error is about and its text.
  function load_library(text, given_register, given_late)
    local f, message = prepared(text, "@" .. label)
    if not f then return "compiling function", message end
    register, late = given_register, given_late
    switch.__index = visible
    sethook(check_late, "", HOOK_EVERY)
    local ok, err = xpcall(f, on_error)
    sethook(tick, "", HOOK_EVERY)
    switch.__index = globals
    register, late = nil, nil
    if ok then return nil end
    return "registering functions", type(err) == "table" and err[1] or "ERR " .. tostring(err)
  end
end

return {
  load_library = load_library,
  run = run,
  apply = apply,
  stage = function(...)
    local more = {...}
    if not staged then
      staged = more
      return
    end
    local n = #staged
    for i = 1, #more do staged[n + i] = more[i] end
  end,
  unstage = unstage,
  compile = function(name, text)
    local f, message = prepared(text, "@" .. label)
    if not f then return message end
    functions[name] = f
  end,
  forget = function(name) functions[name] = nil end,
  clear = function() functions = {} end,
}
