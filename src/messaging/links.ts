// Link records, one per (node, link): up while packets of that node come in over it.

import {linkDeathAtMs} from './deadlines.js';
import {wantsSecondLook} from './doubt.js';
import type {NodeRecord} from './state.js';
import {changeNode, record, tell, type Work} from './work.js';

export function linkHeard(work: Work, node: NodeRecord, name: string): void {
  const link = node.links.find((each) => each.name === name);
  if (!link) return; // Only links of the configuration have records.
  setLink(work, node, {...link, status: 'up', heardMs: work.now.monoMs});
  if (link.status === 'up') return;
  record(work, 'info', 'LINK_UP', `Link ${node.name}:${name} up.`, {node: node.name, link: name});
  tell(work, {type: 'link-changed', node: node.name, link: name, status: 'up'});
}

export function judgeLinks(work: Work, node: NodeRecord): void {
  let current = node;
  for (const link of node.links) {
    const deadlineMs = linkDeathAtMs(work.state, node, link);
    if (work.now.monoMs < deadlineMs || wantsSecondLook(work, node, deadlineMs)) continue;
    current = setLink(work, current, {...link, status: 'dead'});
    record(work, 'WARN', 'LINK_DEAD', `Link ${node.name}:${link.name} dead.`, {node: node.name, link: link.name});
    tell(work, {type: 'link-changed', node: node.name, link: link.name, status: 'dead'});
  }
}

function setLink(work: Work, node: NodeRecord, link: NodeRecord['links'][number]): NodeRecord {
  const links = node.links.map((each) => (each.name === link.name ? link : each));
  return changeNode(work, node.name, {links});
}
