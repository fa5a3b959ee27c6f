// hb_addnode, hb_delnode, hb_setweight, hb_setsite: one request about nodes, refused here when no cluster could accept it.

import type {ControlRequest} from '../../model/control.js';
import {askOrInject} from './daemon.js';
import {EXIT, Exit} from './program.js';

const NAME_BYTES_MAX = 99; // Longer names do not fit the packets of Heartbeat 3.0.6.

export async function editNodes(program: 'hb_addnode' | 'hb_delnode', words: readonly string[]): Promise<number> {
  if (words.length === 0 || words[0]!.startsWith('-'))
    throw new Exit(EXIT.usage, `usage: ${program} <node> <node> ...`);
  const nodes = words.map((word) => nodeName(program, word));
  const request: ControlRequest = {command: program === 'hb_addnode' ? 'add-nodes' : 'delete-nodes', nodes};
  const reply = await askOrInject(request, {t: program.slice(3), nodelist: nodes.join(' ')}, program);
  if (reply?.text) process.stdout.write(`${reply.text}\n`);
  return EXIT.ok;
}

export async function setNodeFact(
  program: 'hb_setweight' | 'hb_setsite',
  field: 'weight' | 'site',
  words: readonly string[],
): Promise<number> {
  const [node, value] = words;
  if (node === undefined || value === undefined || words.length > 2 || node.startsWith('-')) {
    throw new Exit(EXIT.usage, `usage: ${program} <node> <${field}>`);
  }
  if (field === 'weight' && !/^\d{1,9}$/.test(value))
    throw new Exit(EXIT.usage, `${program}: ${value} is not a weight`);
  const fields = {t: program.slice(3), node: nodeName(program, node), [field]: value};
  await askOrInject({command: 'inject', fields}, fields, program);
  return EXIT.ok;
}

function nodeName(program: string, word: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(word) || word.length > NAME_BYTES_MAX) {
    throw new Exit(EXIT.usage, `${program}: ${JSON.stringify(word)} is not a node name`);
  }
  return word.toLowerCase();
}
