// The Firebase Auth emulator alone, without Java and without the rest of the suite.
//
// Usage: node firebase-emulator.mjs <project> <port>; prints {"host": "127.0.0.1:…"} when started.

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { AuthEmulator, SingleProjectMode } = require('firebase-tools/lib/emulator/auth');

const [projectId, port] = process.argv.slice(2);
const host = '127.0.0.1';
const emulator = new AuthEmulator({
  projectId,
  host,
  port: Number(port),
  singleProjectMode: SingleProjectMode.NO_WARNING,
});
await emulator.start();
process.stdout.write(`${JSON.stringify({ host: `${host}:${port}` })}\n`);
process.stdin.resume().on('end', () => process.exit(0));
