// ioredis with what stands around streams: channels, scripts, functions, lists, users.
// Prints "done" at the end, throws at the first surprise.
'use strict';
const assert = require('assert');
const Redis = require('ioredis');

const port = Number(process.argv[2]);
const BINARY = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
const LIBRARY = `#!lua name=shop
redis.register_function('sell', function(keys, args)
  return redis.call('XADD', keys[1], args[1], 'item', args[2])
end)`;

// Collects what an emitter says, until so much has come.
function hears(emitter, event) {
  const heard = [];
  let waiting = () => {};
  emitter.on(event, (...words) => { heard.push(words); waiting(); });
  return async (count) => {
    while (heard.length < count) await new Promise((resolve) => { waiting = resolve; });
    return heard.splice(0);
  };
}

async function blocked(redis) {
  while (!/blocked_clients:1/.test(await redis.info('clients')));
}

async function channels(redis) {
  const sub = new Redis({ port });
  const messages = hears(sub, 'message');
  const matched = hears(sub, 'pmessage');
  assert.strictEqual(await sub.subscribe('news', 'weather'), 2);
  assert.strictEqual(await sub.psubscribe('w*'), 3);
  assert.strictEqual(await redis.publish('news', 'first'), 1);
  assert.strictEqual(await redis.publish('weather', 'rain'), 2);
  assert.deepStrictEqual(await messages(2), [['news', 'first'], ['weather', 'rain']]);
  assert.deepStrictEqual(await matched(1), [['w*', 'weather', 'rain']]);

  // A subscriber whose connection is lost subscribes again by itself.
  await redis.client('KILL', 'TYPE', 'pubsub');
  while ((await redis.pubsub('NUMSUB', 'news'))[1] !== 1 || (await redis.pubsub('NUMPAT')) !== 1);
  const buffers = hears(sub, 'messageBuffer');
  await redis.publish('news', BINARY);
  assert.deepStrictEqual((await buffers(1))[0][1], BINARY);
  assert.strictEqual(await sub.unsubscribe('news', 'weather'), 1);
  assert.strictEqual(await sub.punsubscribe('w*'), 0);
  assert.strictEqual(await sub.get('none'), null);

  const shards = hears(sub, 'smessage');
  await sub.ssubscribe('part');
  assert.strictEqual(await redis.spublish('part', 'x'), 1);
  assert.deepStrictEqual(await shards(1), [['part', 'x']]);
  sub.disconnect();
}

async function scripts(redis) {
  redis.defineCommand('moveAll', {
    numberOfKeys: 2,
    lua: `local found = redis.call('XRANGE', KEYS[1], '-', '+')
          for _, entry in ipairs(found) do
            redis.call('XADD', KEYS[2], entry[1], unpack(entry[2]))
          end
          redis.call('DEL', KEYS[1])
          return #found`,
  });
  for (let n = 1; n < 4; n++) await redis.xadd('from', `${n}-0`, 'n', n);
  assert.strictEqual(await redis.moveAll('from', 'to'), 3);
  await redis.script('FLUSH');
  assert.strictEqual(await redis.moveAll('from', 'to'), 0);
  assert.strictEqual(await redis.xlen('to'), 3);
  await redis.script('FLUSH');
  assert.deepStrictEqual(
    await redis.pipeline().moveAll('a', 'b').xlen('to').exec(), [[null, 0], [null, 3]]);
  assert.deepStrictEqual(
    await redis.eval("return {KEYS[1], ARGV[1], 7.9, cjson.encode({1})}", 1, 'k', BINARY),
    ['k', BINARY.toString(), 7, '[1]']);
  await assert.rejects(redis.eval("return redis.call('LPOP', 'to')", 0), /WRONGTYPE/);

  await redis.function('FLUSH');
  assert.strictEqual(await redis.function('LOAD', LIBRARY), 'shop');
  assert.strictEqual(await redis.fcall('sell', 1, 'sales', '1-0', 'tea'), '1-0');
  await redis.function('DELETE', 'shop');
  await assert.rejects(redis.fcall('sell', 1, 'sales', '2-0', 'tea'), /Function not found/);
}

async function lists(redis) {
  const other = new Redis({ port });
  assert.strictEqual(await redis.rpush('l', 'a', 'b', 'c'), 3);
  assert.deepStrictEqual(await redis.lrange('l', 0, -1), ['a', 'b', 'c']);
  assert.strictEqual(await redis.lmove('l', 'm', 'LEFT', 'RIGHT'), 'a');
  assert.deepStrictEqual(await redis.lpop('l', 5), ['b', 'c']);
  const popping = other.blpop('l', 'n', 20);
  await blocked(redis);
  await redis.multi().lpush('n', 'x').lpush('n', 'y').exec();
  assert.deepStrictEqual(await popping, ['n', 'y']);
  const moving = other.blmove('l', 'm', 'LEFT', 'LEFT', 20);
  await blocked(redis);
  await redis.rpush('l', BINARY);
  await moving;
  assert.deepStrictEqual(await redis.lindexBuffer('m', 0), BINARY);
  assert.deepStrictEqual(await redis.mget('k', 'none'), ['v', null]);
  other.disconnect();
}

async function users(redis) {
  await redis.acl('SETUSER', 'ann', 'reset', 'on', '>secret', '~ann:*', '&ann:*', '+@all', '-flushall');
  const ann = new Redis({ port, username: 'ann', password: 'secret' });
  assert.strictEqual(await ann.acl('WHOAMI'), 'ann');
  assert.strictEqual(await ann.xadd('ann:s', '1-0', 'f', 'v'), '1-0');
  await assert.rejects(ann.xadd('bob:s', '*', 'f', 'v'), /NOPERM/);
  await assert.rejects(ann.flushall(), /NOPERM/);
  await assert.rejects(ann.subscribe('bob:news'), /NOPERM/);
  await assert.rejects(ann.multi().set('ann:k', 1).set('k', 1).exec(), /EXECABORT/);
  ann.disconnect();
  await redis.acl('DELUSER', 'ann');
}

async function main() {
  const redis = new Redis({ port });
  await redis.set('k', 'v');
  await channels(redis);
  await scripts(redis);
  await lists(redis);
  await users(redis);
  await redis.quit();
  console.log('done');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
