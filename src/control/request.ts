// Reads one line of the control socket as a request. Total on any input: whatever is not exactly a request of
// model/control.ts is refused with a reason, so that the core only ever sees well-formed requests.

import type {StandbyScope} from '../model/cluster.js';
import type {ControlRequest} from '../model/control.js';

/** A request line is at most this long; replies may be longer (`dump`), see client.ts. */
export const REQUEST_BYTES_MAX = 65_536;
const WORDS_MAX = 200;

export type ParsedLine =
  | {readonly ok: true; readonly id: number; readonly request: ControlRequest}
  | {readonly ok: false; readonly id: number; readonly text: string};

export function parseRequestLine(line: string): ParsedLine {
  const value = parseJson(line);
  if (!isObject(value)) return {ok: false, id: 0, text: 'not a JSON object'};
  const id = Number.isSafeInteger(value['id']) ? (value['id'] as number) : 0;
  const request = isObject(value['request']) ? readRequest(value['request']) : undefined;
  return request === undefined ? {ok: false, id, text: 'not a known request'} : {ok: true, id, request};
}

function readRequest(value: Record<string, unknown>): ControlRequest | undefined {
  const {command} = value;
  switch (command) {
    case 'status':
    case 'shutdown':
    case 'reload':
    case 'dump':
      return {command};
    case 'standby':
    case 'takeover':
      return isScope(value['scope']) ? {command, scope: value['scope']} : undefined;
    case 'add-nodes':
    case 'delete-nodes':
      return isWords(value['nodes']) ? {command, nodes: value['nodes']} : undefined;
    case 'reset':
      return isWords(value['keys']) ? {command, keys: value['keys']} : undefined;
    case 'inject':
      return isFields(value['fields']) ? {command, fields: value['fields']} : undefined;
    default:
      return undefined;
  }
}

function isScope(value: unknown): value is StandbyScope {
  return value === 'all' || value === 'local' || value === 'foreign';
}

function isWords(value: unknown): value is string[] {
  return (
    Array.isArray(value) &&
    value.length <= WORDS_MAX &&
    value.every((each) => typeof each === 'string' && /^[^\s\0]{1,255}$/.test(each))
  );
}

/** Names and values go on the wire as they are: no byte that would end a line or a field there. */
function isFields(value: unknown): value is Record<string, string> {
  if (!isObject(value)) return false;
  const entries = Object.entries(value);
  return (
    entries.length <= WORDS_MAX &&
    entries.every(
      ([name, text]) => /^[^\s=\0]{1,255}$/.test(name) && typeof text === 'string' && !/[\n\0]/.test(text),
    ) &&
    typeof value['t'] === 'string'
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
