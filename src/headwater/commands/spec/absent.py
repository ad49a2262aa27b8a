"""Names of Redis 8.10's commands that this server does not have.

ACL rules may name them and change nothing, so that a file of users that was written for Redis is
taken as it is, while a name with a slip in it is an error.
"""

from __future__ import annotations

_NAMES = """
    asking cluster cluster|addslots cluster|addslotsrange cluster|bumpepoch
    cluster|count-failure-reports cluster|countkeysinslot cluster|delslots
    cluster|delslotsrange cluster|failover cluster|flushslots cluster|forget
    cluster|getkeysinslot cluster|help cluster|info cluster|keyslot cluster|links
    cluster|meet cluster|migration cluster|myid cluster|myshardid cluster|nodes
    cluster|replicas cluster|replicate cluster|reset cluster|saveconfig
    cluster|set-config-epoch cluster|setslot cluster|shards cluster|slaves
    cluster|slot-stats cluster|slots cluster|syncslots readonly readwrite
    migrate sort sort_ro
    hdel hexists hexpire hexpireat hexpiretime hget hgetall hgetdel hgetex hincrby
    hincrbyfloat hkeys hlen hmget hmset hpersist hpexpire hpexpireat hpexpiretime hpttl
    hrandfield hscan hset hsetex hsetnx hstrlen httl hvals
    failover hotkeys hotkeys|get hotkeys|help hotkeys|reset hotkeys|start hotkeys|stop
    memory|doctor memory|malloc-stats memory|purge memory|stats module module|help
    module|list module|load module|loadex module|unload psync replconf replicaof
    restore-asking sflush slaveof sync trimslots
    sadd scard sdiff sdiffcard sdiffstore sinter sintercard sinterstore sismember smembers
    smismember smove spop srandmember srem sscan sunion sunioncard sunionstore
    bzmpop bzpopmax bzpopmin zadd zcard zcount zdiff zdiffstore zincrby zinter zintercard
    zinterstore zlexcount zmpop zmscore zpopmax zpopmin zrandmember zrange zrangebylex
    zrangebyscore zrangestore zrank zrem zremrangebylex zremrangebyrank zremrangebyscore
    zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion zunionstore
    bitcount bitfield bitfield_ro bitop bitpos getbit setbit
    geoadd geodist geohash geopos georadius georadius_ro georadiusbymember
    georadiusbymember_ro geosearch geosearchstore
    pfadd pfcount pfdebug pfmerge pfselftest
    vadd vcard vdim vemb vgetattr vinfo vismember vlinks vrandmember vrem vsetattr vsim
"""

ABSENT = frozenset(_NAMES.split())
