// The status as a person reads it. Pure: the same status gives the same text. Colour says at a glance what is wrong and
// never carries meaning alone.

import type {NodeView} from '../../model/cluster.js';
import type {ClusterStatus, DiskStatus, GroupStatus} from '../../model/control.js';
import {isDiffering, isDiskLost, isOrdinary, progressText, STANDBY_FIRST} from '../../model/disk.js';

type Paint = (text: string, word: string) => string;

const GOOD = ['active', 'up', 'ping', 'running', 'stable', 'UpToDate', 'Established'];
const BAD = ['dead', 'failed', 'blocked', 'Outdated', 'Inconsistent', 'Diskless', 'Failed', 'StandAlone'];
const GREEN = 32;
const RED = 31;
const YELLOW = 33;

export function renderStatus(status: ClusterStatus, isColoured: boolean): string {
  const paint: Paint = isColoured ? (text, word) => `\u001b[${colourOf(word)}m${text}\u001b[0m` : (text) => text;
  const lines = [
    `${status.node}: ${paint(status.phase, status.phase)}, holds ${status.rscstatus}, generation ${status.generation}, systole ${status.version}`,
    ...(status.standby === undefined ? [] : [paint(`moving: ${status.standby}`, 'moving')]),
    '',
    'Nodes',
    ...status.nodes.map((node) => nodeLine(node, status.nodes, paint)),
    '',
    'Groups',
    ...(status.groups.length === 0
      ? ['  none in haresources']
      : status.groups.flatMap((group) => groupLines(group, status.node, paint))),
    ...diskSection(status.disks ?? [], paint),
    ...(status.warnings.length === 0
      ? []
      : ['', 'Warnings', ...status.warnings.map((text) => paint(`  ${text}`, 'warning'))]),
  ];
  return lines.join('\n');
}

function colourOf(word: string): number {
  if (GOOD.includes(word)) return GREEN;
  return BAD.includes(word) ? RED : YELLOW;
}

function nodeLine(node: ClusterStatus['nodes'][number], all: readonly NodeView[], paint: Paint): string {
  const width = Math.max(...all.map((each) => each.name.length));
  // A node never hears itself, so its own links say nothing and are not shown.
  const links = node.kind === 'self' ? [] : node.links;
  const shown = links.map((link) => `  ${link.name} ${paint(link.status, link.status)}`).join('');
  const status = paint(node.status.padEnd(6), node.status);
  return `  ${node.name.padEnd(width)}  ${status}  ${kindOf(node.kind).padEnd(9)}${shown}`.trimEnd();
}

function kindOf(kind: ClusterStatus['nodes'][number]['kind']): string {
  if (kind === 'self') return 'this node';
  return kind === 'classic' ? 'heartbeat' : kind;
}

function groupLines(group: GroupStatus, node: string, paint: Paint): string[] {
  const width = Math.max(...group.resources.map((each) => each.word.length));
  // Resources are measured where this daemon runs; the peer's are known as a whole.
  const isHere = group.owner === node || group.state !== 'stopped';
  return [
    `  ${group.key}  ${where(group, node, paint)}, home ${group.home}${failures(group)}`,
    ...(isHere
      ? group.resources.map((each) => `      ${each.word.padEnd(width)}  ${paint(each.state, each.state)}`)
      : [`      ${group.resources.map((each) => each.word).join(' ')}`]),
    ...(group.activity === undefined ? [] : [paint(`      now: ${group.activity}`, 'moving')]),
    ...(group.reason === undefined
      ? []
      : [paint(`      why: ${group.reason}`, group.owner === undefined ? 'failed' : 'warning')]),
  ];
}

function where(group: GroupStatus, node: string, paint: Paint): string {
  if (group.owner === undefined) return paint('runs nowhere', 'failed');
  const state = group.owner === node ? group.state : (group.peerState ?? 'running');
  return `${paint(state, state)} on ${group.owner}`;
}

function diskSection(disks: readonly DiskStatus[], paint: Paint): string[] {
  if (disks.length === 0) return [];
  const width = Math.max(...disks.map((each) => each.resource.length));
  return ['', 'Disks', ...disks.flatMap((disk) => diskLines(disk, width, paint))];
}

function diskLines(disk: DiskStatus, width: number, paint: Paint): string[] {
  const name = `  ${disk.resource.padEnd(width)}  `;
  if (disk.found === 'down') return [`${name}${paint('not up', 'failed')}`];
  if (disk.found === 'unknown') return [`${name}${paint('not known: DRBD gives no answer', 'warning')}`];
  const link = disk.connection === 'Connected' ? disk.replication : disk.connection;
  const here = `here ${disk.role} ${paint(disk.disk, disk.disk)}`;
  const there = `there ${disk.peerRole} ${paint(disk.peerDisk, disk.peerDisk)}`;
  const isActive = disk.role === 'Primary';
  // A planned move would be refused by either node.
  const isHeld = isActive || (disk.peerBar !== undefined && isDiffering(disk.peerBar));
  const move = isHeld && disk.peerBar !== undefined ? [`no planned move: ${disk.peerBar.text}`] : [];
  const progress = disk.progress === undefined ? [] : [`synchronising: ${progressText(disk.progress)}`];
  const start = isActive || disk.bar === undefined || isOrdinary(disk.bar) ? [] : [`no start here: ${disk.bar.text}`];
  const lost = isDiskLost(disk)
    ? [`its disk is lost here${disk.peerBar === undefined ? `: ${STANDBY_FIRST}` : ', and no other is good'}`]
    : [];
  const alone = disk.connection === 'StandAlone' ? ['stands alone: see systole drbd status'] : [];
  return [
    `${name}${here}, ${there}, ${paint(link, link)}`,
    ...[...lost, ...progress, ...start, ...move, ...alone].map((text) => `      ${paint(text, 'warning')}`),
  ];
}

function failures({failCount}: GroupStatus): string {
  return failCount === 0 ? '' : `, failed to start ${failCount === 1 ? 'once' : `${failCount} times`}`;
}
