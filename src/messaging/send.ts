// Outgoing messages: the header of wire-protocol.md 3.1, numbering, the history for retransmission. Promise: a number
// is never given to a message that may not fit a datagram, because peers would ask for it for ever.

import {log} from '../model/log.js';
import {type Field, fieldOf, type Message, withField} from '../model/message.js';
import {HISTORY_MAX, type MessagingState, nodeOf, unacknowledged} from './state.js';
import {change, printable, record, recordRarely, type Work} from './work.js';

const DATAGRAM_MAX = 65_507;
/** Framing, the inner `auth` field and the trailer of the longest digest. */
const FRAME_BYTES = 160;

/** Stamps, numbers, keeps and transmits; false when it was refused, with a log line saying why. */
export function send(work: Work, own: Message): boolean {
  const type = fieldOf(own, 't');
  if (!type) {
    record(work, 'ERROR', 'MESSAGE_WITHOUT_TYPE', 'message without t= not sent');
    return false;
  }
  const isNumbered = !type.startsWith('NS_');
  const seq = work.state.highest + 1;
  const message = stamp(work, own, isNumbered ? seq : undefined);
  const bytes = sizeBound(message);
  if (bytes > DATAGRAM_MAX) {
    const text = `message t=${printable(type)} of ${bytes} bytes not sent: a datagram holds ${DATAGRAM_MAX}`;
    record(work, 'ERROR', 'MESSAGE_TOO_LONG', text, {bytes});
    return false;
  }
  if (isNumbered) keep(work, seq, message);
  work.effects.push({type: 'transmit', message});
  return true;
}

/** Whether a message of these fields could be sent now. */
export function fits(work: Work, own: Message): boolean {
  return sizeBound(stamp(work, own, work.state.highest + 1)) <= DATAGRAM_MAX;
}

function stamp(work: Work, own: Message, seq: number | undefined): Message {
  const {start, load, nodes} = work.state;
  const dest = fieldOf(own, 'dest');
  const destuuid = dest === undefined ? '' : (nodeOf(work.state, dest)?.uuid ?? '');
  let message = own;
  const put = (name: string, value: string, type: Field['type'] = 0) => {
    message = withField(message, {name, type, value});
  };
  if (destuuid !== '') put('destuuid', destuuid, 1);
  put('src', start.node);
  put('srcuuid', start.uuid, 1);
  if (seq !== undefined) put('seq', seq.toString(16));
  put('hg', start.generation.toString(16));
  put('ts', Math.max(1, Math.floor(work.now.wallMs / 1000)).toString(16)); // Zero means: no timestamp.
  if (seq !== undefined && load !== '') put('ld', load);
  put('ttl', String(start.hopfudge + nodes.length));
  return message;
}

/** At least the encoded size, whatever key signs it. */
function sizeBound({fields}: Message): number {
  let bytes = FRAME_BYTES;
  for (const {name, value} of fields) {
    const body = name.length + value.length + 4;
    bytes += body + String(body).length + 2;
  }
  return bytes;
}

function keep(work: Work, seq: number, message: Message): void {
  const entry = {seq, message, sentMs: work.now.monoMs, resentMs: null};
  change(work, {highest: seq, history: [...work.state.history.slice(1 - HISTORY_MAX), entry]});
  warnOfBacklog(work, unacknowledged(work.state));
}

function warnOfBacklog(work: Work, waiting: number): void {
  if (waiting < 376) return;
  const text = `Message hist queue is filling up (${Math.min(waiting, HISTORY_MAX)} messages in queue)`;
  const isFull = waiting >= 451;
  const code = isFull ? 'HISTORY_FULL' : 'HISTORY_FILLING';
  recordRarely(work, 'history', log(isFull ? 'ERROR' : 'WARN', code, text, {waiting}));
}

/** The lowest number a peer can still ask for. */
export function lowestKept(state: MessagingState): number {
  return state.history[0]?.seq ?? state.highest + 1;
}
