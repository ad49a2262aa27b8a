// Run examples/chapter/orders.js, unchanged, against a server on another port than 6379.
//
//     node chapter.js PORT 'CALL'
//
// The program connects to the client's default port, so the client's default is what is changed.
// CALL is what its last lines, commented out there, invite to write.
'use strict';
const fs = require('fs');
const path = require('path');
const Module = require('module');

const [port, call] = process.argv.slice(2);
const file = path.join(__dirname, '..', '..', 'examples', 'chapter', 'orders.js');

const Redis = require('ioredis');
class Elsewhere extends Redis {
  constructor(...args) {
    super(...(args.length ? args : [Number(port)]));
  }
}
require.cache[require.resolve('ioredis')].exports = Elsewhere;

const program = new Module(file, module);
program.filename = file;
program.paths = Module._nodeModulePaths(path.dirname(file));
program._compile(`${fs.readFileSync(file, 'utf8')}\n${call}\n`, file);
