// May the changes of this node be thrown away now? Judged before anything is touched, from this node's report and the other
// node's view. Promises: every refusal says which value, why, and the command that helps; without the other side's identifiers
// nothing is thrown away on a suspicion.

import {compareVolumes, type Generation, parseGenerations, type Relation} from './generation.js';
import {handshakeInLog, isAbout, relationText} from './split-brain.js';
import type {ResourceState} from './state.js';
import {generationsOf, type View} from './view.js';

export interface Refusal {
  readonly why: string;
  readonly todo: string;
}

export interface ResolveRequest {
  readonly resource: string;
  readonly node: string;
  readonly discard: string;
  readonly ours: View;
  readonly state: ResourceState | undefined;
  /** What dopd last heard; undefined: nothing. */
  readonly theirs: View | undefined;
  /** As `drbdadm get-gi` printed it on the other node, typed by the administrator. */
  readonly peerGi: string | undefined;
  /** The kernel's messages since the boot. */
  readonly kernelLog: string;
  /** Who holds the device here, for people. */
  readonly holders: readonly string[];
  /** Groups that run or start here and use it. */
  readonly groups: readonly string[];
}

export function refusalToResolve(request: ResolveRequest): Refusal | undefined {
  return wrongNode(request) ?? inUse(request) ?? noSplitBrain(request) ?? otherSide(request);
}

function wrongNode({resource, node, discard, theirs}: ResolveRequest): Refusal | undefined {
  if (discard === node) return undefined;
  if (theirs !== undefined && discard !== theirs.node)
    return {
      why: `${discard} is neither of the two nodes of ${resource}`,
      todo: `--discard-node ${node} (here) or, typed on ${theirs.node}, --discard-node ${theirs.node}`,
    };
  return {
    why: `this is ${node}, and the changes of ${discard} are to go: that is done on ${discard}`,
    todo: `on ${discard}: systole drbd resolve ${resource} --discard-node ${discard}`,
  };
}

function inUse({resource, ours, state, holders, groups}: ResolveRequest): Refusal | undefined {
  if (groups.length > 0)
    return {
      why: `the group ${groups.join(', ')} runs here and uses ${resource}`,
      todo: 'systole standby gives it to the other node; or stop heartbeat here',
    };
  if (state?.role === 'Primary')
    return {
      why: `${resource} is Primary on ${ours.node}${holders.length === 0 ? '' : `: ${holders.join('; ')}`}`,
      todo: `stop what uses it, unmount it, then: drbdadm secondary ${resource}`,
    };
  if (state?.peers.some((peer) => peer.connection === 'Connected'))
    return {why: `${resource} is connected to the other node: there is no split brain`, todo: 'nothing'};
  const bad = state?.volumes.find(({disk}) => disk !== 'UpToDate' && disk !== 'Outdated' && disk !== 'Consistent');
  if (bad)
    return {
      why: `the disk of ${resource} here is ${bad.disk}: it has nothing to throw away`,
      todo: `drbdadm adjust ${resource}`,
    };
  return undefined;
}

function noSplitBrain(request: ResolveRequest): Refusal | undefined {
  const {resource, ours, theirs} = request;
  const mine = generationsOf(ours);
  if (mine.length === 0)
    return {why: `the generation identifiers here cannot be read`, todo: `drbdadm get-gi ${resource}`};
  const peers = peerGenerations(request);
  if (peers === undefined)
    return {
      why: `whether it is a split brain is not known: nothing was heard from the other node, and the kernel log here names none`,
      todo: `start heartbeat with dopd on both nodes; or give what \`drbdadm get-gi ${resource}\` prints on the other node: --peer-gi ...`,
    };
  const relation: Relation = compareVolumes(mine, peers);
  if (relation === 'split-brain') return newerHere(request, mine, peers);
  const other = theirs ?? {...ours, node: 'the other node'};
  return {
    why: `there is no split brain of ${resource}: ${relationText(relation, ours, other)}`,
    todo: relation === 'unrelated' ? 'see which disks drbd.conf names' : `drbdadm adjust ${resource} on both nodes`,
  };
}

/** DRBD decides for each volume: it would take that one from here, and the other node would have a mixture of both. */
function newerHere(
  {resource, node, ours}: ResolveRequest,
  mine: readonly Generation[],
  peers: readonly Generation[],
): Refusal | undefined {
  const newer = mine.findIndex((each, index) => compareVolumes([each], peers.slice(index, index + 1)) === 'ours-newer');
  const volume = ours.volumes[newer]?.volume;
  if (volume === undefined) return undefined;
  return {
    why: `volume ${volume} of ${resource} was written here alone and is newer here: DRBD would copy it to the other node, and take the others from there`,
    todo: `by hand on ${node}: copy its disk; drbdadm invalidate ${resource}/${volume}; drbdadm connect --discard-my-data ${resource}`,
  };
}

/** The administrator's word first, then what was heard, then what the kernel printed of the data that are here now. */
function peerGenerations({ours, theirs, peerGi, kernelLog, state}: ResolveRequest): readonly Generation[] | undefined {
  if (peerGi !== undefined) return parseGenerations(peerGi.replace(/\s+/g, '\n'));
  if (theirs !== undefined && generationsOf(theirs).length > 0) return generationsOf(theirs);
  const said = ours.volumes.flatMap(({generation}, index) => {
    const handshake = handshakeInLog(kernelLog, state?.volumes[index]?.minor ?? -1);
    const isNow = handshake && generation && isAbout(handshake, generation.current);
    return isNow ? parseGenerations(handshake.peer) : [];
  });
  return said.length > 0 && said.length === ours.volumes.length ? said : undefined;
}

function otherSide({resource, theirs}: ResolveRequest): Refusal | undefined {
  if (theirs === undefined) return undefined;
  if (theirs.isDiscarding)
    return {
      why: `${theirs.node} is throwing its own changes of ${resource} away: the data of both would be lost`,
      todo: `let it finish; systole drbd status ${resource} on ${theirs.node} shows how far it is, and how it goes on`,
    };
  const bad = theirs.isUp ? theirs.volumes.find(({disk}) => disk !== 'UpToDate') : undefined;
  if (!bad) return undefined;
  const way =
    bad.disk === 'Outdated'
      ? ` (if its data are the ones to keep: on ${theirs.node}, drbdadm primary --force ${resource}, then drbdadm secondary ${resource})`
      : '';
  return {
    why: `the disk of ${resource} on ${theirs.node} is ${bad.disk}: what is here may be the only good copy`,
    todo: `look at ${theirs.node} first${way}`,
  };
}
