// A socket.io server on the Redis adapter that its parent names; does what the parent asks it.
//
//     fork('socketio_server.js', [PORT, 'redis' | 'ioredis', 'streams' | 'pubsub' | 'sharded'])
'use strict';
const { Server } = require('socket.io');

const [port, library, kind] = process.argv.slice(2);

async function connect() {
  if (library === 'ioredis') {
    const Redis = require('ioredis');
    const client = new Redis({ port: Number(port) });
    client.on('error', () => {});
    return client;
  }
  const { createClient } = require('redis');
  const client = createClient({ socket: { host: '127.0.0.1', port: Number(port) } });
  client.on('error', () => {});
  return client.connect();
}

async function makeAdapter() {
  if (kind === 'streams') {
    return require('@socket.io/redis-streams-adapter').createAdapter(await connect());
  }
  const { createAdapter, createShardedAdapter } = require('@socket.io/redis-adapter');
  const make = kind === 'sharded' ? createShardedAdapter : createAdapter;
  return make(await connect(), await connect());
}

async function main() {
  const recovery = kind === 'streams' ? { maxDisconnectionDuration: 60000 } : undefined;
  const io = new Server({
    adapter: await makeAdapter(),
    transports: ['websocket'],
    connectionStateRecovery: recovery,
  });
  io.on('connection', (socket) => {
    socket.data.name = socket.handshake.auth.name;
    if (!socket.recovered) socket.join(socket.handshake.auth.rooms);
    socket.on('tell', (room, ...words) => socket.to(room).emit('told', ...words));
  });
  io.on('question', (number, answer) => answer([process.pid, 2 * number]));

  const order = ({ rooms, except }) => io.to(rooms || []).except(except || []);
  const does = {
    emit: (where, count, ...data) => {
      for (let n = 0; n < count; n++) order(where).emit('news', n, ...data);
    },
    ask: (where, number) => order(where).timeout(20000).emitWithAck('ask', number),
    sockets: async (where) =>
      (await order(where).fetchSockets()).map(({ id, data, rooms }) => [data.name, id, [...rooms]]),
    question: (number) => io.serverSideEmitWithAck('question', number),
    join: (where, room) => order(where).socketsJoin(room),
    leave: (where, room) => order(where).socketsLeave(room),
    drop: (where) => order(where).disconnectSockets(true),
  };
  process.on('message', async ({ id, what, words }) => {
    try {
      process.send({ id, result: await does[what](...words) });
    } catch (error) {
      process.send({ id, error: String(error) });
    }
  });
  process.on('disconnect', () => process.exit());
  io.listen(0);
  process.send({ port: io.httpServer.address().port });
}

main();
