// Runs on the client: writes numbered rows to MariaDB through the service address, one transaction each, as fast as
// they are acknowledged or every `interval` ms, and remembers which were. A row whose acknowledgement never came is not
// counted: the database may or may not have it. Reconnects at once; every wait is bounded.
// Arguments: address, interval, factor for all waits. Input lines: `mark ID` (outages count from here),
// `report ID`, `stop ID`, `verify ID`. Ends with its input.

import {createConnection, type Socket} from 'node:net';
import {createInterface} from 'node:readline';
import mysql, {type Connection} from 'mysql2/promise';

const [address = '', interval = '', patience = '1'] = process.argv.slice(2);
const intervalMs = Number(interval);
/** Emulated machines are several times slower than real ones. */
const answerMs = 500 * Number(patience);
/** Nobody may carry the address; the next attempt then meets the new owner, where a repeated SYN would come late. */
const dialMs = 50 * Number(patience);
const startMs = performance.now();
const acknowledged: number[] = [];
let next = 1;
let failures = 0;
let lastMs = 0;
let outageMs = 0;
/** Wall clock when the longest outage ended. */
let resumedAtMs = 0;
let writing = true;
let connection: Connection | undefined;
let lastError = '';

say({event: 'ready'});
const loop = write();

createInterface({input: process.stdin})
  .on('line', (line) => void command(line))
  .on('close', () => process.exit(0));

async function command(line: string): Promise<void> {
  const [word, id] = line.split(' ');
  if (word === 'mark') outageMs = resumedAtMs = 0;
  if (word === 'stop') {
    writing = false;
    await loop;
  }
  const lost = word === 'verify' ? await countLost().catch((error: Error) => error.message) : undefined;
  say({event: word, id, acknowledged: acknowledged.length, failures, lastError, lost, resumedAtMs, ...outage()});
}

/** The longest time without an acknowledged row since the mark; one that began before it counts whole. */
function outage(): {outageMs: number} {
  const lasting = lastMs > 0 && writing ? performance.now() - startMs - lastMs : 0;
  return {outageMs: Math.max(outageMs, lasting)};
}

async function write(): Promise<void> {
  while (writing) {
    const row = next;
    next += 1;
    try {
      await bounded(insert(row));
      const nowMs = performance.now() - startMs;
      if (lastMs > 0 && nowMs - lastMs > outageMs) {
        outageMs = nowMs - lastMs;
        resumedAtMs = Date.now();
      }
      lastMs = nowMs;
      acknowledged.push(row);
      if (intervalMs > 0) await pause(intervalMs);
    } catch (error) {
      failures += 1;
      lastError = (error as Error).message;
      connection?.destroy();
      connection = undefined;
      await pause(5);
    }
  }
}

async function insert(row: number): Promise<void> {
  connection ??= await connect();
  await connection.query('INSERT INTO demo.entries (id) VALUES (?)', [row]);
}

async function connect(): Promise<Connection> {
  // The server behind the address may be gone at any moment of the handshake.
  const stream = await dial();
  const made = await mysql.createConnection({stream, user: 'demo', password: 'demo', connectTimeout: answerMs});
  made.on('error', () => {}); // Also said by the query that fails.
  return made;
}

function dial(): Promise<Socket> {
  const socket = createConnection({host: address, port: 3306, noDelay: true});
  return new Promise<Socket>((resolve, reject) => {
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
    setTimeout(() => reject(new Error(`no connection in ${dialMs} ms`)), dialMs).unref();
  }).catch((error: Error) => {
    socket.destroy();
    throw error;
  });
}

/** On a connection of its own: behind a long answer the next row would look late. */
async function countLost(): Promise<number> {
  const known = [...acknowledged];
  const reader = await bounded(connect());
  try {
    const [rows] = await bounded(reader.query<mysql.RowDataPacket[]>('SELECT id FROM demo.entries'), 20_000);
    const present = new Set(rows.map((row) => row['id'] as number));
    return known.filter((row) => !present.has(row)).length;
  } finally {
    reader.destroy();
  }
}

/** One outer deadline: the package's own time-outs do not cover every wait (a query queued behind another, a ping). */
async function bounded<T>(promise: Promise<T>, timeoutMs = answerMs): Promise<T> {
  promise.catch(() => {});
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function say(line: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
