// Goal: a split brain is found when, and only when, both copies were written without each other; the text of dump-md is read right
// to the block, and never as fewer changes than there are; what is shown names both sides. Method: outputs recorded on a
// running 8.4 pair that was split (fixtures/drbd/8.4); and a model of two nodes that write, meet and lose each other, whose
// truth is known without any identifier.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {describe, test} from '@jest/globals';
import fc from 'fast-check';
import {healthOf, type Report, renderReport} from '../../src/drbd/describe.js';
import {type DiskHistory, foldSight} from '../../src/drbd/disk-times.js';
import {bytesIn, type Extent, joinExtents, parseDump, withoutExtents} from '../../src/drbd/dump-md.js';
import {EMPTY_PICTURE, foldEvent, parseEvents2, resourcesOf} from '../../src/drbd/events2.js';
import {compareGenerations, compareVolumes, type Generation, parseGenerations} from '../../src/drbd/generation.js';
import {
  findingKey,
  handshakeInLog,
  isAbout,
  judgeViews,
  logLine,
  standsBack,
  whyNotServe,
} from '../../src/drbd/split-brain.js';
import {makeView, parseView, readViewMessage, type View, viewMessage} from '../../src/drbd/view.js';
import {withField} from '../../src/model/message.js';
import {root} from '../helpers/config.js';

const sample = (name: string): string => readFileSync(`${root}/fixtures/drbd/8.4/${name}`, 'utf8');
const here = parseGenerations(sample('get-gi-here'));
const there = parseGenerations(sample('get-gi-there'));

describe('generation identifiers', () => {
  test('get-gi and show-gi of a split pair', () => {
    assert.deepEqual(here, [
      {
        current: '762D952A144A202F',
        bitmap: '346EC3F299DF65DF',
        history: ['3D60C7B8E27B770B', '0000000000000004'],
        flags: {isConsistent: true, isUpToDate: true, isPrimary: true, wasConnected: false},
      },
    ]);
    assert.deepEqual(parseGenerations(sample('show-gi-here')), here);
    assert.equal(compareVolumes(here, there), 'split-brain');
    assert.deepEqual(parseGenerations('data: No such resource\n1:2:3\n'), []);
  });

  test('who is newer, whichever way the role bit stands', () => {
    const [before] = parseGenerations('346EC3F299DF65DE:0000000000000000:3D60C7B8E27B770A:0000000000000004:1:1:0:0');
    assert.equal(compareGenerations(here[0]!, before!), 'ours-newer');
    assert.equal(compareGenerations(before!, here[0]!), 'theirs-newer');
    assert.equal(compareGenerations(before!, {...before!, current: '346EC3F299DF65DF'}), 'same');
    const [fresh] = parseGenerations('0000000000000004:0000000000000000:0000000000000000:0000000000000000');
    assert.equal(compareGenerations(here[0]!, fresh!), 'unknown');
    const [stranger] = parseGenerations('1111111111111110:2222222222222222:0000000000000000:0000000000000004');
    assert.equal(compareGenerations(here[0]!, stranger!), 'unrelated');
  });

  test('volumes: one that split is enough, crosswise newer too, a missing one is not known', () => {
    const old = parseGenerations('346EC3F299DF65DE:0000000000000000:3D60C7B8E27B770A:0000000000000004')[0]!;
    assert.equal(compareVolumes([here[0]!, old], [there[0]!, old]), 'split-brain');
    assert.equal(compareVolumes([here[0]!, old], [old, here[0]!]), 'split-brain');
    assert.equal(compareVolumes([here[0]!, old], [old, old]), 'ours-newer');
    assert.equal(compareVolumes(here, []), 'unknown');
  });

  /** Two nodes as DRBD keeps them, beside the plain truth of who wrote since they last were one. */
  class Pair {
    serial = 0x1000;
    wrote = [false, false];
    readonly copies: Generation[];
    constructor() {
      const first = this.fresh();
      const flags = {isConsistent: true, isUpToDate: true, isPrimary: false, wasConnected: true};
      this.copies = [0, 1].map(() => ({current: first, bitmap: ZERO, history: [ZERO, ZERO], flags}));
    }
    fresh(): string {
      this.serial += 2;
      return this.serial.toString(16).toUpperCase().padStart(16, 'A');
    }
    write(side: 0 | 1): void {
      this.wrote[side] = true;
      const copy = this.copies[side]!;
      if (copy.bitmap === ZERO) this.copies[side] = {...copy, current: this.fresh(), bitmap: copy.current};
    }
    synchronise(source: 0 | 1): void {
      const from = this.copies[source]!;
      const history = [from.bitmap === ZERO ? from.history[0]! : from.bitmap, from.history[0]!];
      for (const side of [0, 1]) this.copies[side] = {...from, bitmap: ZERO, history};
      this.wrote = [false, false];
    }
    /** What an administrator's or DRBD's next meeting would find. */
    truth(): string {
      if (this.wrote[0] && this.wrote[1]) return 'split-brain';
      if (this.wrote[0]) return 'ours-newer';
      return this.wrote[1] ? 'theirs-newer' : 'same';
    }
  }
  const ZERO = '0000000000000000';

  test('the comparison is the truth, after any history of writes and synchronisations', () => {
    const action = fc.constantFrom('write 0', 'write 1', 'meet', 'discard 0', 'discard 1');
    fc.assert(
      fc.property(fc.array(action, {maxLength: 40}), (actions) => {
        const pair = new Pair();
        for (const each of actions) {
          const [word, side] = [each.split(' ')[0], Number(each.at(-1)) as 0 | 1];
          const relation = compareGenerations(pair.copies[0]!, pair.copies[1]!);
          assert.equal(relation, pair.truth());
          if (word === 'write') pair.write(side);
          else if (word === 'discard') pair.synchronise(side === 0 ? 1 : 0);
          else if (relation !== 'split-brain') pair.synchronise(relation === 'theirs-newer' ? 1 : 0);
        }
        const turned = compareGenerations(pair.copies[1]!, pair.copies[0]!);
        const mirror: Record<string, string> = {'ours-newer': 'theirs-newer', 'theirs-newer': 'ours-newer'};
        assert.equal(mirror[turned] ?? turned, pair.truth());
      }),
    );
  });
});

describe('dump-md', () => {
  test('the bitmap of a node that wrote alone, to the block', () => {
    const dump = parseDump(sample('dump-md'));
    assert.ok(typeof dump === 'object', String(dump));
    assert.equal(dump.deviceBytes, 524200 * 512);
    assert.equal(bytesIn(dump.extents), 19 * 4096);
    const blocks = dump.extents.map(({offset, length}) => [offset / 4096, length / 4096]);
    // Words of 64 blocks, the lowest bit first: word 1 is 0x222, word 31 is 0x200, word 97 is 0xFFE, word 448 is 7.
    assert.deepEqual(blocks, [
      [0, 1],
      [65, 1],
      [69, 1],
      [73, 1],
      [31 * 64 + 9, 1],
      [97 * 64 + 1, 11],
      [448 * 64, 3],
    ]);
  });

  test('cut short anywhere, it is no dump', () => {
    const text = sample('dump-md').replace(/# bits-set.*\n/, '');
    const bitmapEnd = text.lastIndexOf('}');
    fc.assert(
      fc.property(fc.integer({min: 0, max: bitmapEnd}), (length) => {
        assert.equal(typeof parseDump(text.slice(0, length)), 'string');
      }),
    );
    assert.match(String(parseDump(sample('dump-md').replace('FFE', 'FFC'))), /says 19 bits and shows 18/);
    assert.match(String(parseDump(sample('dump-md').replace(/la-size-sect.*\n/, ''))), /size/);
  });

  test('9: the bitmaps of all peers together; the last block may be short', () => {
    const text = [
      'version "v09";',
      'la-size-sect 1023;',
      'bm-byte-per-bit 4096;',
      'bitmap[0] {',
      '   # at 0kB',
      '    0x0000000000000003; 0x0000000000000001;',
      '}',
      '# bits-set 3;',
      'bitmap[1] {',
      '    2 times 0xFFFFFFFFFFFFFFFF;',
      '}',
      '# bits-set 128;',
    ].join('\n');
    const dump = parseDump(text);
    assert.ok(typeof dump === 'object', String(dump));
    assert.deepEqual(dump.extents, [{offset: 0, length: 1023 * 512}]);
  });

  const extents = fc.array(fc.record({offset: fc.nat(60), length: fc.integer({min: 1, max: 12})}), {maxLength: 12});
  const set = (list: readonly Extent[]): Set<number> =>
    new Set(list.flatMap(({offset, length}) => Array.from({length}, (_, index) => offset + index)));

  test('joining and taking away are those of sets', () => {
    fc.assert(
      fc.property(extents, extents, (left, right) => {
        const [ours, theirs] = [joinExtents(left), joinExtents(right)];
        assert.deepEqual(set(ours), new Set([...set(left)].sort((a, b) => a - b)));
        assert.ok(
          ours.every((each, index) => index === 0 || ours[index - 1]!.offset + ours[index - 1]!.length < each.offset),
        );
        const rest = [...set(ours)].filter((each) => !set(theirs).has(each));
        assert.deepEqual([...set(withoutExtents(ours, theirs))], rest);
      }),
    );
  });
});

function view(more: Partial<View> = {}, generations = here): View {
  const state = parseEvents2(
    `exists resource name:data role:Primary suspended:no
exists connection name:data peer-node-id:0 connection:StandAlone role:Unknown congested:no
exists device name:data volume:0 minor:0 disk:UpToDate
exists peer-device name:data peer-node-id:0 volume:0 replication:Off peer-disk:Outdated out-of-sync:88
exists -`,
  )?.[0];
  const times = {lostMs: Date.UTC(2026, 10, 21, 17, 41, 10)};
  const made = makeView({node: 'n1', resource: 'data', wallMs: 1, state, generations, times, isDiscarding: false});
  return {...made, ...more};
}
const other = view({node: 'n2', role: 'Secondary', lastPrimaryMs: Date.UTC(2026, 10, 21, 17, 50, 0)}, there);

describe('the finding', () => {
  test('StandAlone alone proves nothing', () => {
    assert.equal(judgeViews(view(), undefined).kind, 'unknown');
    assert.equal(judgeViews(view(), view({node: 'n2'})).kind, 'alone');
    assert.equal(judgeViews(view({connection: 'Connecting'}), view({node: 'n2'})).kind, 'none');
  });

  test('both wrote: found on either side, also before DRBD meets again', () => {
    assert.equal(judgeViews(view(), other).kind, 'split-brain');
    assert.equal(judgeViews(other, view()).kind, 'split-brain');
    assert.equal(judgeViews(view({connection: 'Connecting'}), other).kind, 'split-brain');
    assert.equal(judgeViews(view({connection: 'Connected'}), other).kind, 'none');
  });

  test('who stood back while the other one served stays back until it serves itself', () => {
    const sides = (ours: View['role'], theirs: View['role']) => ({
      ours: view({role: ours}),
      theirs: view({role: theirs}),
    });
    assert.equal(standsBack(sides('Secondary', 'Primary'), false, true), true);
    // A resource that is down serves as little.
    assert.equal(standsBack(sides('Unknown', 'Primary'), false, true), true);
    for (const role of ['Secondary', 'Unknown', 'Primary'] as const) {
      assert.equal(standsBack(sides('Secondary', role), true, false), true, role);
      assert.equal(standsBack(sides('Primary', role), true, true), false, role);
      assert.equal(
        standsBack(sides('Secondary', role), false, false),
        false,
        `${role}, said before this one stood back`,
      );
    }
    assert.equal(standsBack(sides('Secondary', 'Unknown'), false, true), false);
    assert.equal(whyNotServe({...sides('Secondary', 'Unknown'), isHeldBack: false}), undefined);
    assert.match(whyNotServe({...sides('Secondary', 'Primary'), isHeldBack: false}) ?? '', /when it was last heard/);
    assert.match(whyNotServe({...sides('Secondary', 'Unknown'), isHeldBack: true}) ?? '', /What to do: .*resolve data/);
  });

  test('a copy in the middle of a synchronisation has no side', () => {
    const [volume] = other.volumes;
    assert.ok(volume);
    const target = {...other, volumes: [{...volume, disk: 'Inconsistent' as const}]};
    assert.equal(judgeViews(view(), target).kind, 'none');
    assert.equal(judgeViews(target, view()).kind, 'none');
  });

  test('the log line says who has what and what to do', () => {
    const line = logLine(judgeViews(view(), other));
    assert.match(line, /^data: SPLIT BRAIN: both nodes wrote without each other since 2026-11-21 17:41:10Z/);
    assert.match(line, /n1: generation 762D952A144A202F, 88 KiB changed, Primary now/);
    assert.match(line, /n2: generation FE4FFEBB16712C65, 88 KiB changed, last Primary 2026-11-21 17:50:00Z/);
    assert.match(line, /What to do: systole drbd status data$/);
    assert.ok(!line.includes('\n') && line.length < 1000);
  });

  test('it is logged once: the key does not change with the role', () => {
    const demoted = parseGenerations(sample('get-gi-there').replace('FE4FFEBB16712C65', 'FE4FFEBB16712C64'));
    const again = judgeViews(view(), view({node: 'n2', role: 'Secondary'}, demoted));
    assert.equal(findingKey(again), findingKey(judgeViews(view(), other)));
  });

  test('what the kernel printed of its last handshake', () => {
    const handshake = handshakeInLog(sample('kernel-split-brain'), 0);
    assert.ok(handshake);
    assert.ok(isAbout(handshake, here[0]!.current));
    assert.ok(!isAbout(handshake, there[0]!.current));
    assert.equal(compareVolumes(parseGenerations(handshake.self), parseGenerations(handshake.peer)), 'split-brain');
    assert.equal(handshakeInLog(sample('kernel-split-brain'), 1), undefined);
    assert.equal(handshakeInLog('', 0), undefined);
  });

  test('events2 calls the handshake Connected; a view does not', () => {
    const lines = sample('events2-split-brain').split('\n');
    const at = lines.findIndex((line) => line.includes('connection:Connected'));
    const state = resourcesOf(lines.slice(0, at + 1).reduce(foldEvent, EMPTY_PICTURE))[0];
    assert.equal(state?.peers[0]?.connection, 'Connected');
    const made = makeView({
      node: 'n1',
      resource: 'data',
      wallMs: 1,
      state,
      generations: [],
      times: {},
      isDiscarding: false,
    });
    assert.equal(made.connection, 'Connecting');
  });
});

describe('views travel', () => {
  test('a message keeps everything', () => {
    const message = viewMessage('n2', view(), true);
    const read = readViewMessage(withField(message, {name: 'src', type: 0, value: 'N1'}));
    assert.deepEqual(read, {from: 'n1', resource: 'data', isAsked: true, view: view()});
  });

  test('a view of another node or resource than the message says is none', () => {
    const message = withField(viewMessage('n2', view(), false), {name: 'src', type: 0, value: 'n3'});
    assert.equal(readViewMessage(message)?.view, undefined);
  });

  test('any text is a view or none, and never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        parseView(text);
      }),
    );
    const odd = parseView(
      '{"node":"n1","resource":"data","volumes":[{"generation":{"current":"x"},"outOfSyncKib":-1},7]}',
    );
    assert.deepEqual(odd?.volumes[0]?.generation, undefined);
    assert.deepEqual(odd?.volumes[1]?.disk, 'Unknown');
    assert.equal(judgeViews(view(), odd).kind, 'unknown');
  });
});

describe('times', () => {
  const sight = {isPrimary: false, isConnected: true, writtenKib: 10};
  const fold = (sights: readonly (readonly [number, Partial<typeof sight>])[]): DiskHistory =>
    sights.reduce((history, [nowMs, more]) => foldSight(history, {...sight, ...more}, nowMs), {
      times: {},
      last: undefined,
      isWorthKeeping: false,
    } as DiskHistory);

  test('promoted, written, lost, demoted', () => {
    const history = fold([
      [1, {}],
      [2, {isPrimary: true}],
      [3, {isPrimary: true, writtenKib: 20}],
      [4, {isPrimary: true, writtenKib: 20, isConnected: false}],
      [5, {isPrimary: false, writtenKib: 20, isConnected: false}],
      [6, {isPrimary: false, writtenKib: 20, isConnected: false}],
    ]);
    assert.deepEqual(history.times, {lastPrimaryMs: 4, lastWriteMs: 3, lostMs: 4});
    assert.equal(history.isWorthKeeping, false);
  });

  test('a start of the watch is no promotion', () => {
    const before = {times: {primarySinceMs: 7, lastPrimaryMs: 9}, last: undefined, isWorthKeeping: false};
    assert.deepEqual(foldSight(before, {...sight, isPrimary: true}, 20).times, {primarySinceMs: 7, lastPrimaryMs: 20});
    assert.deepEqual(foldSight({...before, times: {}}, {...sight, isPrimary: true}, 20).times, {lastPrimaryMs: 20});
  });
});

describe('what status shows', () => {
  const state = parseEvents2(`exists resource name:data role:Primary suspended:no
exists connection name:data peer-node-id:0 connection:StandAlone role:Unknown
exists device name:data volume:0 minor:0 disk:UpToDate
exists peer-device name:data peer-node-id:0 volume:0 replication:Off peer-disk:DUnknown out-of-sync:88
exists -`)?.[0];
  const report: Report = {
    resource: 'data',
    node: 'n1',
    nowMs: 20_000,
    trouble: undefined,
    view: view(),
    state,
    progress: undefined,
    finding: judgeViews(view(), other),
    heardMs: 12_000,
    isResolving: false,
    oldRunMs: undefined,
  };

  test('a split brain: both sides, and the command for either', () => {
    const text = renderReport(report);
    assert.match(text, /^data: Primary on n1, StandAlone\n/);
    assert.match(text, /role +Primary now +last Primary 2026-11-21 17:50:00Z/);
    assert.match(text, /generation +762D952A144A202F +FE4FFEBB16712C65/);
    assert.match(text, /changed since +88 KiB +88 KiB/);
    assert.match(text, /as of +now +8 s ago/);
    assert.match(text, /on n1: systole drbd resolve data --discard-node n1/);
    assert.match(text, /on n2: systole drbd resolve data --discard-node n2/);
    assert.equal(healthOf(report), 'split-brain');
  });

  test('not known, not up, not readable', () => {
    const unknown = {...report, finding: judgeViews(view(), undefined)};
    assert.match(renderReport(unknown), /The other side is not known/);
    assert.equal(healthOf(unknown), 'limited');
    assert.match(
      renderReport({...report, state: undefined, finding: {kind: 'none'}}),
      /not up on n1\n(.*\n)*.*drbdadm up data/,
    );
    assert.match(renderReport({...report, trouble: 'drbdsetup is not installed'}), /cannot be read: drbdsetup/);
  });

  test('a synchronisation: percent, speed, end', () => {
    const target = parseEvents2(`exists resource name:data role:Secondary suspended:no
exists connection name:data peer-node-id:0 conn-name:peer connection:Connected role:Primary
exists device name:data volume:0 minor:0 disk:Inconsistent size:1000
exists peer-device name:data peer-node-id:0 conn-name:peer volume:0 replication:SyncTarget peer-disk:UpToDate out-of-sync:250
exists -`)?.[0];
    const progress = {percent: 18.8, finishS: 23, speedKibS: 9216};
    const text = renderReport({...report, state: target, progress, finding: {kind: 'none'}});
    assert.match(text, /Synchronising: 18.8 % done, 9.0 MiB\/s, 23 s to go/);
    assert.match(text, /SyncTarget, 250 KiB differ/);
  });

  test('a disk that failed, here below the service or there: what to do', () => {
    const todo = (role: string, disk: string, there: string, replication = 'Established'): string => {
      const sight = parseEvents2(`exists resource name:data role:${role} suspended:no
exists connection name:data peer-node-id:0 conn-name:peer connection:Connected role:Secondary
exists device name:data volume:0 minor:0 disk:${disk} size:262100
exists peer-device name:data peer-node-id:0 conn-name:peer volume:0 replication:${replication} peer-disk:${there} out-of-sync:64
exists -`)?.[0];
      return renderReport({...report, finding: {kind: 'none'}, state: sight}).split('What to do:')[1] ?? 'nothing';
    };
    for (const disk of ['Diskless', 'Failed']) {
      assert.match(todo('Primary', disk, 'UpToDate'), /systole standby first, then docs\/drbd\.md, "A disk fails"$/);
      assert.match(todo('Primary', disk, 'Diskless'), /the other copy is not good: docs\/drbd\.md, "A disk fails"\n/);
      assert.match(
        todo('Primary', 'UpToDate', disk),
        /on the other node, whose disk is \w+: docs\/drbd\.md, "A disk fails"$/,
      );
      assert.match(todo('Secondary', disk, 'UpToDate'), /new disk: drbdadm create-md data/);
    }
    for (const there of ['Inconsistent', 'Outdated'])
      assert.match(
        todo('Primary', 'UpToDate', there),
        /whose disk is \w+: see the kernel log, then: drbdadm disconnect data; /,
      );
    assert.equal(todo('Primary', 'UpToDate', 'Inconsistent', 'SyncSource'), 'nothing');
  });

  describe('two good copies', () => {
    const good = (replication: string, kib: number, role = 'Primary'): Report => ({
      ...report,
      finding: {kind: 'none'},
      state: parseEvents2(`exists resource name:data role:${role} suspended:no
exists connection name:data peer-node-id:0 conn-name:peer connection:Connected role:Secondary
exists device name:data volume:0 minor:0 disk:UpToDate size:262100
exists peer-device name:data peer-node-id:0 conn-name:peer volume:0 replication:${replication} peer-disk:UpToDate out-of-sync:${kib}
exists -`)?.[0],
    });

    test('known to differ: limited, with what to do, on either node', () => {
      for (const role of ['Primary', 'Secondary'])
        for (const replication of ['Established', 'VerifyS', 'VerifyT']) {
          const differs = good(replication, 4096, role);
          assert.equal(healthOf(differs), 'limited');
          assert.doesNotMatch(renderReport(differs), /Synchronising/);
          assert.match(
            renderReport(differs),
            /4096 KiB differ\n +What to do:\n +4\.0 MiB of data are known to differ .+: drbdadm disconnect data; drbdadm connect data$/,
          );
        }
    });

    test('a verify that has found nothing is no fault', () => {
      for (const replication of ['Established', 'VerifyS', 'VerifyT']) {
        assert.equal(healthOf(good(replication, 0)), 'good', replication);
        assert.doesNotMatch(renderReport(good(replication, 0)), /What to do/);
      }
    });
  });
});
