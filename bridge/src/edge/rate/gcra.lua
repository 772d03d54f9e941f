-- Takes one request from a budget (GCRA: the generic cell rate algorithm). The clock is the server's, so that all Bridges agree.
-- KEYS[1]: the budget. ARGV[1]: microseconds after which a request comes back. ARGV[2]: how many there are when it is whole.
-- Answers -1, or for how many microseconds there will be none. Nothing is written then: asking again costs nothing.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval = tonumber(ARGV[1])
-- When the budget will be whole again.
local whole = tonumber(redis.call('GET', KEYS[1]) or now)
if whole < now then whole = now end
whole = whole + interval
local wait = whole - interval * tonumber(ARGV[2]) - now
if wait > 0 then return wait end
-- A number of this size would be written with an exponent, and lose digits.
redis.call('SET', KEYS[1], string.format('%.0f', whole), 'PX', math.ceil((whole - now) / 1000))
return -1
