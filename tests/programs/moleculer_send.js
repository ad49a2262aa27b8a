// Send messages as a moleculer node does, read from the command line; prints "sent" at the end.
//
//     node moleculer_send.js PORT CHANNEL MESSAGES HEADERS
//
// MESSAGES is a JSON array, HEADERS a JSON object.
'use strict';
const { ServiceBroker } = require('moleculer');
const { Middleware } = require('@moleculer/channels');

const [port, channel, messages, headers] = process.argv.slice(2);

const broker = new ServiceBroker({
  logger: false,
  middlewares: [Middleware({ adapter: `redis://127.0.0.1:${port}` })],
});

async function main() {
  await broker.start();
  for (const message of JSON.parse(messages)) {
    await broker.sendToChannel(channel, message, {
      headers: JSON.parse(headers),
      xaddMaxLen: '~1000',
    });
  }
  await broker.stop();
  console.log('sent');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
