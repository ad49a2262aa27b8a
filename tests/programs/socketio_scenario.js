// Two socket.io servers behind a Redis adapter and three real clients; prints "done" at the end.
//
//     node socketio_scenario.js PORT 'redis' | 'ioredis' 'streams' | 'pubsub' | 'sharded' [crash]
//
// With `crash` it prints "crash me" and goes on when another server process answers on PORT.
'use strict';
const assert = require('assert');
const { fork } = require('child_process');
const path = require('path');
const Redis = require('ioredis');
const { io: connectTo } = require('socket.io-client');

const [port, library, kind, crash] = process.argv.slice(2);
const AWKWARD = { text: 'Größe ½ \0\r\n', deep: [{ n: 1.5 }, null, true] };
const BINARY = Buffer.from(Array.from({ length: 1000 }, (_, n) => n % 256));
const direct = new Redis({ port: Number(port) });
direct.on('error', () => {});

class IoServer {
  async start() {
    const words = [port, library, kind];
    const file = path.join(__dirname, 'socketio_server.js');
    this.child = fork(file, words, { serialization: 'advanced' });
    this.waiting = new Map();
    this.next = 0;
    const listening = new Promise((resolve) => {
      this.child.on('message', ({ port: listens, id, result, error }) => {
        if (listens) return resolve(listens);
        const { resolve: done, reject } = this.waiting.get(id);
        return error ? reject(new Error(error)) : done(result);
      });
    });
    this.url = `http://127.0.0.1:${await listening}`;
    return this;
  }

  do(what, ...words) {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.child.send({ id, what, words });
    });
  }
}

class Client {
  constructor(server, name, rooms) {
    this.name = name;
    this.news = [];
    this.told = [];
    this.heard = () => {};
    this.socket = connectTo(server.url, { auth: { name, rooms }, transports: ['websocket'] });
    this.socket.on('news', (...words) => this.hear(this.news, words));
    this.socket.on('told', (...words) => this.hear(this.told, words));
    this.socket.on('ask', (number, answer) => answer(`${name} ${number}`));
  }

  // With connection state recovery the last word is the entry's ID.
  hear(list, words) {
    if (kind === 'streams') assert.match(words.pop(), /^\d+-\d+$/);
    list.push(words);
    this.heard();
  }

  connected() {
    if (this.socket.connected) return null;
    return new Promise((resolve) => this.socket.once('connect', resolve));
  }

  // The next news, once so many have come; what came beyond that is a mistake.
  async takes(count) {
    while (this.news.length < count) await new Promise((resolve) => { this.heard = resolve; });
    assert.strictEqual(this.news.length, count, `${this.name} heard too much`);
    return this.news.splice(0);
  }
}

async function until(condition) {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 2));
}

const numbers = (count, ...rest) => Array.from({ length: count }, (_, n) => [n, ...rest]);
const names = (sockets) => sockets.map(([name]) => name).sort();

async function main() {
  const [a, b] = await Promise.all([new IoServer().start(), new IoServer().start()]);
  const ann = new Client(a, 'ann', ['red']);
  const bob = new Client(b, 'bob', ['red', 'blue']);
  const cyd = new Client(b, 'cyd', []);
  const all = [ann, bob, cyd];
  await Promise.all(all.map((client) => client.connected()));

  // The adapter hears nothing that is sent before its servers listen: wait for that.
  if (kind === 'streams') {
    await until(async () => /blocked_clients:2/.test(await direct.info('clients')));
  }
  await until(async () => (await a.do('sockets', {}).catch(() => [])).length === 3);
  await until(async () => (await b.do('sockets', {}).catch(() => [])).length === 3);
  if (kind === 'sharded') {
    const room = ['SHARDNUMSUB', 'socket.io#/#red#'];
    await until(async () => (await direct.pubsub(...room))[1] === 2);
    await until(async () => (await direct.pubsub('SHARDNUMSUB', 'socket.io#/#blue#'))[1] === 1);
  }

  // To everybody, in order, whatever is in it.
  await a.do('emit', {}, 300, AWKWARD);
  for (const client of all) {
    assert.deepStrictEqual(await client.takes(300), numbers(300, AWKWARD));
  }
  await b.do('emit', {}, 2, BINARY);
  for (const client of all) {
    assert.deepStrictEqual(await client.takes(2), numbers(2, BINARY));
  }

  // To rooms, and to all but one.
  await b.do('emit', { rooms: ['red'] }, 1, 'to red');
  await a.do('emit', { rooms: ['blue'] }, 1, 'to blue');
  await a.do('emit', { except: ['red'] }, 1, 'not to red');
  assert.deepStrictEqual(await ann.takes(1), [[0, 'to red']]);
  await until(() => bob.news.length >= 2);
  assert.deepStrictEqual((await bob.takes(2)).map(([, word]) => word).sort(), ['to blue', 'to red']);
  assert.deepStrictEqual(await cyd.takes(1), [[0, 'not to red']]);
  ann.socket.emit('tell', 'blue', 'psst');
  await until(() => bob.told.length);
  assert.deepStrictEqual(bob.told, [['psst']]);

  // Across the servers: who is there, questions with answers, joining from afar.
  const sockets = await a.do('sockets', {});
  assert.deepStrictEqual(names(sockets), ['ann', 'bob', 'cyd']);
  assert.deepStrictEqual(names(await a.do('sockets', { rooms: ['blue'] })), ['bob']);
  assert.deepStrictEqual(await a.do('question', 21), [[b.child.pid, 42]]);
  assert.deepStrictEqual((await a.do('ask', {}, 7)).sort(), ['ann 7', 'bob 7', 'cyd 7']);
  await a.do('join', { rooms: ['blue'] }, 'late');
  await until(async () => names(await a.do('sockets', { rooms: ['late'] })).includes('bob'));
  if (kind === 'sharded') {
    await until(async () => (await direct.pubsub('SHARDNUMSUB', 'socket.io#/#late#'))[1] === 1);
  }
  await a.do('emit', { rooms: ['late'] }, 1);
  assert.deepStrictEqual(await bob.takes(1), [[0]]);
  assert.deepStrictEqual([ann.news, bob.news, cyd.news], [[], [], []]);

  if (kind === 'streams') await recovery(a, b, ann, bob, cyd);
  if (crash) await crashed(a, b, ann, bob, cyd);
  await a.do('drop', { rooms: ['red'] });
  await until(() => !bob.socket.connected);
  assert.ok(cyd.socket.connected);
  console.log('done');
  process.exit();
}

// A client that was away is given what it missed, by the other server, and is in its rooms again.
async function recovery(a, b, ann, bob, cyd) {
  const id = ann.socket.id;
  ann.socket.io.reconnection(false);
  ann.socket.io.engine.close();
  await until(async () => (await b.do('sockets', {})).length === 2);
  assert.strictEqual((await direct.keys('sio:session:*')).length, 1);
  await b.do('emit', { rooms: ['red'] }, 20, AWKWARD);
  await b.do('emit', { rooms: ['blue'] }, 1, 'not hers');
  await b.do('emit', {}, 3, 'for all');
  await bob.takes(24);
  await cyd.takes(3);
  ann.socket.io.uri = b.url;
  ann.socket.io.reconnection(true);
  ann.socket.connect();
  await ann.connected();
  assert.strictEqual(ann.socket.recovered, true);
  assert.strictEqual(ann.socket.id, id);
  const missed = await ann.takes(23);
  assert.deepStrictEqual(missed, [...numbers(20, AWKWARD), ...numbers(3, 'for all')]);
  assert.strictEqual((await direct.keys('sio:session:*')).length, 0);
  await a.do('emit', { rooms: ['red'] }, 1, 'back');
  assert.deepStrictEqual([await ann.takes(1), await bob.takes(1)], [[[0, 'back']], [[0, 'back']]]);
}

// What one server has sent and the other has not read yet is still read after a crash in between.
async function crashed(a, b, ann, bob, cyd) {
  const before = await direct.xlen('socket.io');
  const life = async () => /run_id:(\w+)/.exec(await direct.info('server'))[1];
  const first = await life();
  b.child.kill('SIGSTOP');
  await a.do('emit', {}, 50, AWKWARD);
  await until(async () => (await direct.xlen('socket.io')) === before + 50);
  console.log('crash me');
  await until(async () => (await life().catch(() => first)) !== first);
  b.child.kill('SIGCONT');
  for (const client of [ann, bob, cyd]) {
    assert.deepStrictEqual(await client.takes(50), numbers(50, AWKWARD));
  }
  await until(async () => (await a.do('sockets', {}).catch(() => [])).length === 3);
  await b.do('emit', {}, 10, 'after');
  for (const client of [ann, bob, cyd]) {
    assert.deepStrictEqual(await client.takes(10), numbers(10, 'after'));
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
