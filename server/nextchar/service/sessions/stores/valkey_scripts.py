"""The scripts that Valkey runs: each is one change of a session and of its owner's books, or none of it.

The keys of all of them are the owner's, in one hash slot:

    KEYS[1]  a hash, the session: the fields of its record, and `write`, the token of its last write
    KEYS[2]  a sorted set, the owner's live sessions: ids by the time when they expire
    KEYS[3]  a hash, the sizes of their states by id; their sum is the size of the empty id. At ".", which is
             no id, there is the time up to which expired sessions have been counted
    KEYS[4]  a sorted set, ids that Valkey has evicted to make room, by the time when they would have expired

The live sessions always have one more member, the empty id, at -inf. Where it is missing from an owner who is
known, Valkey has evicted the books themselves: then the empty id goes to the evicted ones, and until its time
an id that is not found may be one of those that were lost.

A write is given a token. Sent again because its answer was lost, it finds the token and is not done twice.
A write that finds its owner's quota full has looked for its token and for what it replaces before: it was
never done.
"""

QUOTA_EXCEEDED = 2  # an answer of REPLACE

# What a change of a session does to the books. `known`: the owner has had sessions before.
_BOOKS = """
local function list(id, expires_at, size, known, lost_until)
    if redis.call('ZADD', KEYS[2], '-inf', '') == 1 and known then
        redis.call('ZADD', KEYS[4], lost_until, '')
    end
    local old = tonumber(redis.call('HGET', KEYS[3], id) or '0')
    redis.call('HSET', KEYS[3], id, size)
    redis.call('HINCRBY', KEYS[3], '', tonumber(size) - old)
    redis.call('ZADD', KEYS[2], expires_at, id)
    redis.call('ZREM', KEYS[4], id)
end
local function unlist(id)
    local old = tonumber(redis.call('HGET', KEYS[3], id) or '0')
    redis.call('HDEL', KEYS[3], id)
    redis.call('HINCRBY', KEYS[3], '', -old)
    redis.call('ZREM', KEYS[2], id)
end
"""
_DONE = "if redis.call('HGET', KEYS[1], 'write') == ARGV[1] then return 1 end\n"
_PUT = """
redis.call('HSET', KEYS[1], 'write', ARGV[1], unpack(ARGV, 9))
redis.call('PEXPIREAT', KEYS[1], ARGV[2])
list(ARGV[3], ARGV[4], ARGV[5], {known}, ARGV[6])
return 1
"""

# ARGV: token, time to be forgotten in milliseconds, id, expires_at, size, lost_until, now, known; then names
# and values of fields by turns
CREATE = f"""{_BOOKS}{_DONE}
local kept = redis.call('HGET', KEYS[1], 'expires_at')
if kept and tonumber(kept) > tonumber(ARGV[7]) then return 0 end
redis.call('DEL', KEYS[1])
{_PUT.format(known="ARGV[8] == '1'")}"""

# ARGV: the same, but the revision that is replaced in place of `now`, and in place of `known` the most bytes
# that the owner's states may have. Returns QUOTA_EXCEEDED if they would be more.
REPLACE = f"""{_BOOKS}{_DONE}
local kept = redis.call('HMGET', KEYS[1], 'revision', 'created', 'ttl_seconds')
if kept[1] ~= ARGV[7] then return 0 end
for k = 9, #ARGV, 2 do
    if ARGV[k] == 'created' and ARGV[k + 1] ~= kept[2] then return 0 end
    if ARGV[k] == 'ttl_seconds' and ARGV[k + 1] ~= kept[3] then return 0 end
end
local all = tonumber(redis.call('HGET', KEYS[3], '') or '0')
local growth = tonumber(ARGV[5]) - redis.call('HSTRLEN', KEYS[1], 'sealed')
if growth > 0 and all + growth > tonumber(ARGV[8]) then return {QUOTA_EXCEEDED} end
{_PUT.format(known="true")}"""

# ARGV: expires_at, time to be forgotten in milliseconds, ttl_seconds, id
TOUCH = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'expires_at', ARGV[1], 'ttl_seconds', ARGV[3])
redis.call('PEXPIREAT', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[2], 'XX', ARGV[1], ARGV[4])
return 1
"""

# ARGV: id
DELETE = f"""{_BOOKS}
local deleted = redis.call('DEL', KEYS[1])
unlist(ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
return deleted
"""

# Corrects a part of the books: counts what is gone, and measures what is there. Returns how many ids are
# left, were forgotten, and were evicted, and with the first part how many have expired since the last time.
# KEYS[1]: what a session's key begins with.
# ARGV: now, a time before which ids are forgotten, first and last rank
TIDY = f"""{_BOOKS}
local left, forgotten, evicted, expired = 0, 0, 0, 0
if ARGV[3] == '0' then
    local counted_until = redis.call('HGET', KEYS[3], '.')
    expired = redis.call('ZCOUNT', KEYS[2], '(' .. (counted_until or '-inf'), ARGV[1])
    if not counted_until or tonumber(counted_until) < tonumber(ARGV[1]) then
        redis.call('HSET', KEYS[3], '.', ARGV[1])
    end
end
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', ARGV[1])
local function look_at(id, score)
    local key, expires_at = KEYS[1] .. id, tonumber(score)
    if expires_at < tonumber(ARGV[2]) then
        redis.call('DEL', key)
        unlist(id)
        forgotten = forgotten + 1
        if expires_at > tonumber(ARGV[1]) then expired = expired + 1 end
    elseif redis.call('EXISTS', key) == 1 then
        local old, size = redis.call('HGET', KEYS[3], id), redis.call('HSTRLEN', key, 'sealed')
        if tonumber(old or '-1') ~= size then
            redis.call('HSET', KEYS[3], id, size)
            redis.call('HINCRBY', KEYS[3], '', size - tonumber(old or '0'))
        end
        left = left + 1
    elseif expires_at > tonumber(ARGV[1]) then
        unlist(id)
        redis.call('ZADD', KEYS[4], score, id)
        evicted = evicted + 1
    else
        left = left + 1
    end
end
local members = redis.call('ZRANGE', KEYS[2], ARGV[3], ARGV[4], 'WITHSCORES')
for k = 1, #members, 2 do
    if members[k] == '' then left = left + 1 else look_at(members[k], members[k + 1]) end
end
return {{left, forgotten, evicted, expired}}
"""
