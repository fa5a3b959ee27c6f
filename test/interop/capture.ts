// Records the packets of both links and renders them as one line each, on the clock that the agents use. Decoding is
// done only when a case failed.

import {existsSync, readFileSync} from 'node:fs';
import type {Machine} from '../../src/lab/machine.js';
import {deadline} from '../../src/lab/wait.js';
import {fieldOf, type Message} from '../../src/model/message.js';
import {prepareKeys} from '../../src/wire/keys.js';
import {openPacket} from '../../src/wire/packet.js';
import {uptime} from './node.js';

const bridges = ['service', 'direct'] as const;
/** Header fields that say nothing in a story. */
const dull = new Set(['srcuuid', 'destuuid', 'hg', 'ts', 'ld', 'ttl', 'auth', 'protocol', 'rtype']);

/** Every key that a case uses. */
const everyKey = [1, 2, 3].flatMap((index) => {
  const keyed = ['HA_JACKBILLOW', 'SECOND', 'a-key-of-its-own', 'another-key'].flatMap((key) =>
    (['sha1', 'md5'] as const).map((method) => ({index, method, key})),
  );
  return [...keyed, {index, method: 'crc' as const, key: ''}].map((key) => prepareKeys({signWith: index, keys: [key]}));
});

export class Capture {
  readonly #directory: string;
  /** Seconds to subtract from a packet's time to get the machine's uptime. */
  readonly #offset = Date.now() / 1000 - uptime();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async start(client: Machine, directory: string): Promise<Capture> {
    for (const bridge of bridges) {
      const args = ['-i', bridge, '-U', '-w', `${directory}/${bridge}.pcap`, '-Z', 'root', 'udp'];
      const dump = client.spawn('tcpdump', args);
      const listening = new Promise<void>((resolve) => {
        dump.stderr.on('data', (text: Buffer) => text.includes('listening') && resolve());
      });
      await deadline(listening, 10_000, () => 'tcpdump does not listen');
    }
    return new Capture(directory);
  }

  files(): string[] {
    return bridges.map((bridge) => `${this.#directory}/${bridge}.pcap`).filter((path) => existsSync(path));
  }

  /** Decoded messages, each once, without acknowledgements and unchanged statuses. */
  story(): string[] {
    const packets = bridges.flatMap((bridge) => this.#read(bridge));
    packets.sort((one, other) => one.at - other.at);
    const seen = new Set<string>();
    const lastStatus = new Map<string, string>();
    const lines: string[] = [];
    for (const {at, bridge, message} of packets) {
      const type = fieldOf(message, 't') ?? '?';
      const src = fieldOf(message, 'src') ?? '?';
      const seq = fieldOf(message, 'seq');
      const id = `${src} ${fieldOf(message, 'hg')} ${seq}`;
      if (type === 'NS_ackmsg' || (seq !== undefined && seen.has(id))) continue;
      seen.add(id);
      const text = render(message);
      if (type === 'status') {
        const status = text.replace(/ seq=\S+/, '');
        if (lastStatus.get(src) === status) continue;
        lastStatus.set(src, status);
      }
      lines.push(`${at.toFixed(2)} WIRE ${bridge} ${text}`);
    }
    return lines;
  }

  #read(bridge: string): {at: number; bridge: string; message: Message}[] {
    const path = `${this.#directory}/${bridge}.pcap`;
    if (!existsSync(path)) return [];
    const bytes = readFileSync(path);
    const found: {at: number; bridge: string; message: Message}[] = [];
    for (let at = 24; at + 16 <= bytes.length; ) {
      const length = bytes.readUInt32LE(at + 8);
      const seconds = bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) / 1e6 - this.#offset;
      const message = decode(bytes.subarray(at + 16, at + 16 + length));
      if (message) found.push({at: seconds, bridge, message});
      at += 16 + length;
    }
    return found;
  }
}

/** Whatever key signed it: the trailer is not checked here, only the text is shown. */
function decode(frame: Buffer): Message | undefined {
  if (frame.length < 42 || frame.readUInt16BE(12) !== 0x0800) return undefined;
  const payload = frame.subarray(14 + (frame.readUInt8(14) & 15) * 4 + 8);
  for (const key of everyKey) {
    const opened = openPacket(payload, key);
    if (opened.ok) return opened.message;
  }
  return undefined;
}

function render(message: Message): string {
  return message.fields
    .filter((field) => !dull.has(field.name))
    .map((field) => `${field.name}=${fieldOf(message, field.name) ?? '(binary)'}`)
    .join(' ');
}
