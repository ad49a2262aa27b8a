const Redis = require('ioredis');
const redis = new Redis();
// --- Producer ---
async function publishOrderEvent(orderId, total, region) {
const id = await redis.xadd(
'orders',
'MAXLEN', '~', '100000',
'*',
'orderId', orderId,
'totalAmount', String(total),
'region', region,
'eventType', 'OrderPlaced',
'timestamp', String(Date.now()),
);
console.log(`Published order ${orderId} as ${id}`);
return id;
}
// --- Consumer with consumer group ---
async function consume(group, consumerName) {
// Create group if it doesn't exist
try {
await redis.xgroup('CREATE', 'orders', group, '$', 'MKSTREAM');
} catch (err) {
if (!err.message.includes('BUSYGROUP')) throw err;
}
console.log(`Consumer ${consumerName} starting in group ${group}`);
while (true) {
try {
const results = await redis.xreadgroup(
'GROUP', group, consumerName,
'COUNT', '10',
'BLOCK', '5000',
'STREAMS', 'orders', '>'
);
if (!results) continue;
for (const [stream, messages] of results) {
for (const [id, fields] of messages) {
// fields is a flat array: ['orderId', 'ord-7829', 'totalAmount', '149.99', ...]
const event = {};
for (let i = 0; i < fields.length; i += 2) {
event[fields[i]] = fields[i + 1];
}
try {
await processOrder(event);
await redis.xack('orders', group, id);
} catch (err) {
console.error(`Failed to process ${id}: ${err.message}`);
// Leave unacked for recovery
}
}
}
} catch (err) {
if (err.message.includes('NOGROUP')) {
console.error('Consumer group does not exist');
break;
}
console.error(`Consumer error: ${err.message}`);
await new Promise(resolve => setTimeout(resolve, 1000));
}
}
}
async function processOrder(event) {
console.log(`Processing order ${event.orderId}: $${event.totalAmount}`);
}
// --- Run ---
// publishOrderEvent('ord-7829', 149.99, 'us-east-1');
// consume('order-processors', 'worker-1');
