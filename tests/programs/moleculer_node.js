// A moleculer node with channels on Redis; what its services are given, it tells in lines of JSON.
//
//     node moleculer_node.js PORT NAME [STALL]
//
// Two services listen to `orders`: each is a consumer group of its own. `brittle` fails as often as an
// parcel says; `slow` keeps what it is given until a message of `release` comes, two at a time. With
// STALL the handler of this order never ends. SIGTERM stops the node as moleculer does: it finishes what it has.
'use strict';
const { ServiceBroker } = require('moleculer');
const { Middleware } = require('@moleculer/channels');

const [port, name, stall] = process.argv.slice(2);

const tell = (kind, fields) => console.log(JSON.stringify({ kind, name, ...fields }));
const attempts = new Map();
let running = 0;
let release;
const released = new Promise((resolve) => { release = resolve; });

const broker = new ServiceBroker({
  nodeID: name,
  logger: { type: 'Console', options: { level: 'error' } },
  middlewares: [
    Middleware({
      adapter: {
        type: 'Redis',
        options: {
          redis: {
            host: '127.0.0.1',
            port: Number(port),
            consumerOptions: {
              minIdleTime: 60000,
              claimInterval: 10,
              processingAttemptsInterval: 10,
              startID: '0',
            },
          },
        },
      },
    }),
  ],
});

broker.createService({
  name: 'billing',
  channels: {
    async orders(order, raw) {
      tell('billing', { order, headers: raw.headers });
      if (String(order.number) === stall) await new Promise(() => {});
    },
  },
});

broker.createService({
  name: 'audit',
  channels: {
    orders: {
      group: 'everything',
      handler(order) {
        tell('audit', { number: order.number });
      },
    },
  },
});

broker.createService({
  name: 'brittle',
  channels: {
    parcels: {
      maxRetries: 3,
      redis: { minIdleTime: 300 },
      deadLettering: { enabled: true, queueName: 'dead' },
      handler({ number, fails }) {
        const attempt = (attempts.get(number) || 0) + 1;
        attempts.set(number, attempt);
        tell('parcel', { number, attempt });
        if (attempt <= fails) throw new Error(`parcel ${number} fell down`);
      },
    },
    dead: {
      group: 'undertaker',
      handler(payload, raw) {
        tell('dead', { payload, headers: raw.headers });
      },
    },
  },
});

broker.createService({
  name: 'slow',
  channels: {
    work: {
      maxInFlight: 2,
      async handler({ number }) {
        running += 1;
        tell('work', { number, running });
        await released;
        running -= 1;
      },
    },
    release: {
      group: `release-${name}`,
      handler: () => release(),
    },
  },
});

broker.start().then(() => tell('started', {}));
process.on('SIGTERM', () => broker.stop().then(() => process.exit()));
