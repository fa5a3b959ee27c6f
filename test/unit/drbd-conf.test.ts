// Goal: a drbd.conf that cannot keep the promise of docs/drbd.md is warned of where haresources relies on it, and a good one is not.
// Method: dumps that drbdadm of both versions printed of real files (fixtures/drbd), and the programs with stand-in tools.

import assert from 'node:assert/strict';
import {chmodSync, readFileSync, writeFileSync} from 'node:fs';
import {afterEach, beforeEach, describe, test} from '@jest/globals';
import {type ConfQuestion, checkConf} from '../../src/drbd/conf-check.js';
import {confWarnings} from '../../src/runtime/drbd/conf-warnings.js';
import {DrbdTools} from '../../src/runtime/drbd/tools.js';
import {OUTPUT_BYTES_MAX} from '../../src/runtime/run-program.js';
import {type Place, place, root, runBin} from '../helpers/command.js';
import {FakeDrbd} from '../helpers/drbd.js';

const CLUSTER = {node: 'data-1-1', nodes: ['data-1-1', 'data-1-2'], hasStonith: true};
const dump = (name: string) => readFileSync(`${root}/fixtures/drbd/${name}`, 'utf8');

function judge(text: string, names: readonly string[], more: Partial<ConfQuestion> = {}): readonly string[] {
  return checkConf(text, {...CLUSTER, names, ...more}).map(({code, text: said}) => `${code} ${said.split(':')[1]}`);
}

/** One resource of two nodes, with a fence-peer handler. */
const conf = (more: string): string =>
  `common { handlers { fence-peer /h; } } resource data { on data-1-1 { } on DATA-1-2 { } ${more} }`;

describe('what is asked for', () => {
  test('good configurations have no finding', () => {
    for (const name of ['8.4/dump', '9/dump', '8.4/dump-loose', '9/dump-loose'])
      assert.deepEqual(judge(dump(name), ['data'], {hasStonith: false}), [], name);
  });

  test('only what haresources names, each at the place where drbd.conf has it; all: what is given to this node', () => {
    const found = (names: readonly string[]) => checkConf(dump('8.4/dump-loose'), {...CLUSTER, names});
    assert.deepEqual(found([]), []);
    assert.deepEqual(found(['none']), []);
    const places = found(['loose']).map(({file, line}) => `${file}:${line}`);
    assert.deepEqual([...new Set(places)], ['/etc/drbd.d/loose.res:1']);
    const all = found(['all']).map(({text}) => text.split(':')[0]);
    assert.deepEqual([...new Set(all)], ['loose', 'volumes', 'addresses']);
    assert.equal(found(['elsewhere']).length > 0, true);
  });

  test('a dump without its comments names no place, and an unreadable one nothing', () => {
    const [found] = checkConf(conf(''), {...CLUSTER, names: ['all']});
    assert.deepEqual([found?.code, found?.file, found?.line], ['DRBD_CONF_FENCING', 'drbd.conf', 0]);
    for (const text of ['', '}', '{', 'resource', 'resource data', '# resource data on n1: ignored'])
      assert.deepEqual(judge(text, ['all']), [], text);
  });
});

describe('real dumps', () => {
  test('8.4: everything that is wrong with a resource, and each once', () => {
    assert.deepEqual(judge(dump('8.4/dump-loose'), ['loose']), [
      'DRBD_CONF_FENCING  no fencing',
      'DRBD_CONF_SPLIT_BRAIN  after-sb-0pri discard-younger-primary',
      'DRBD_CONF_SPLIT_BRAIN  after-sb-1pri consensus',
      'DRBD_CONF_SPLIT_BRAIN  after-sb-2pri call-pri-lost-after-sb',
      'DRBD_CONF_PROTOCOL  protocol A',
      'DRBD_CONF_TWO_PRIMARIES  allow-two-primaries',
      'DRBD_CONF_HOSTS  no host is called data-1-2 (its hosts are data-1-1, data-1-2.example.org)',
    ]);
    assert.deepEqual(judge(dump('8.4/dump'), ['logs']), ['DRBD_CONF_FENCING  no fencing']);
  });

  test('8.4: the strictest fencing of the volumes here is in force', () => {
    const found = (more: Partial<ConfQuestion>) => judge(dump('8.4/dump-loose'), ['volumes'], more);
    const violently = 'DRBD_CONF_SPLIT_BRAIN  violently-as0p with after-sb-0pri discard-zero-changes';
    assert.deepEqual(found({}), [violently]);
    assert.match(found({hasStonith: false}).join(), /^DRBD_CONF_STONITH {2}fencing resource-and-stonith, but ha\.cf/);
    assert.deepEqual(found({node: 'data-1-2'}), ['DRBD_CONF_FENCING  no fencing', violently]);
  });

  test('8.4: floating hosts have no names that dopd could know', () => {
    assert.deepEqual(judge(dump('8.4/dump-loose'), ['addresses']), [
      'DRBD_CONF_SPLIT_BRAIN  after-sb-1pri discard-secondary',
      'DRBD_CONF_HOSTS  no host is called data-1-1 or data-1-2 (it names none)',
    ]);
  });

  test('9: fencing is in net, for all and for one; the handler may be missing', () => {
    const found = checkConf(dump('9/dump-loose'), {...CLUSTER, names: ['loose'], hasStonith: false});
    assert.deepEqual(
      found.map(({code}) => code),
      [
        'DRBD_CONF_HANDLER',
        'DRBD_CONF_STONITH',
        'DRBD_CONF_SPLIT_BRAIN',
        'DRBD_CONF_SPLIT_BRAIN',
        'DRBD_CONF_PROTOCOL',
      ],
    );
    assert.match(found[0]?.hint ?? '', /drbd-peer-outdater -t 60"; }$/);
  });

  test('9: a third copy outside the cluster may lag behind; a mesh counts', () => {
    assert.deepEqual(judge(dump('9/dump-loose'), ['remote']), []);
    const three = {nodes: ['data-1-1', 'data-1-2', 'archive']};
    assert.deepEqual(judge(dump('9/dump-loose'), ['remote'], three), [
      'DRBD_CONF_FENCING  no fencing',
      'DRBD_CONF_SPLIT_BRAIN  after-sb-0pri discard-local',
      'DRBD_CONF_PROTOCOL  protocol A',
    ]);
    assert.deepEqual(judge(dump('9/dump-loose'), ['mesh']), ['DRBD_CONF_TWO_PRIMARIES  allow-two-primaries']);
    const meshes =
      'connection-mesh { hosts data-1-1 data-1-2; } connection-mesh { hosts data-1-1 far; net { protocol A; } }';
    assert.deepEqual(judge(conf(`net { fencing resource-only; } ${meshes}`), ['data']), []);
    // Where no connection is within the cluster its hosts have other names there: then all are looked at.
    const others = judge(dump('9/dump-loose'), ['remote'], {nodes: ['n1', 'n2']});
    assert.equal(others.includes('DRBD_CONF_PROTOCOL  protocol A'), true);
  });
});

describe('after a split brain', () => {
  const FENCED = 'disk { fencing resource-only; }';
  const loses = (none: string, one: string, both: string): readonly string[] =>
    judge(conf(`${FENCED} net { after-sb-0pri ${none}; after-sb-1pri ${one}; after-sb-2pri ${both}; }`), [
      'data',
    ]).flatMap((said) => /DRBD_CONF_SPLIT_BRAIN {2}(.*)/.exec(said)?.[1] ?? said);

  test.each(['disconnect', 'discard-zero-changes'])('%s loses nothing that was written, whoever follows it', (none) => {
    for (const policy of ['disconnect', 'consensus', 'call-pri-lost-after-sb'])
      assert.deepEqual(loses(none, policy, policy === 'consensus' ? 'disconnect' : policy), []);
    assert.deepEqual(loses(none, 'discard-secondary', 'disconnect'), ['after-sb-1pri discard-secondary']);
  });

  test.each(['younger-primary', 'older-primary', 'least-changes', 'node-data-1-1', 'local', 'remote'])(
    'discard-%s throws changes away, and so does what follows it',
    (loser) => {
      const none = `after-sb-0pri discard-${loser}`;
      assert.deepEqual(loses(`discard-${loser}`, 'disconnect', 'disconnect'), [none]);
      for (const policy of ['consensus', 'violently-as0p', 'call-pri-lost-after-sb'])
        assert.deepEqual(loses(`discard-${loser}`, policy, 'disconnect'), [none, `after-sb-1pri ${policy}`]);
      for (const policy of ['violently-as0p', 'call-pri-lost-after-sb'])
        assert.deepEqual(loses(`discard-${loser}`, 'disconnect', policy), [none, `after-sb-2pri ${policy}`]);
    },
  );

  test('violently: nothing to carry out, or below a mounted file system', () => {
    assert.deepEqual(loses('disconnect', 'violently-as0p', 'violently-as0p'), []);
    const [text, ...others] = loses('discard-zero-changes', 'violently-as0p', 'violently-as0p');
    assert.match(text ?? '', /^violently-as0p with after-sb-0pri discard-zero-changes/);
    assert.deepEqual(others, []);
  });
});

describe('what an acknowledged write rests on', () => {
  const found = (disk: string, more = '', net = ''): readonly string[] =>
    judge(conf(`disk { fencing resource-only; ${disk} } net { ${net} } ${more}`), ['data']);

  test('flushes switched off, for data or for metadata; barriers are off by default since 8.4.2', () => {
    assert.deepEqual(found('disk-flushes no;'), ['DRBD_CONF_FLUSHES  disk-flushes no']);
    assert.deepEqual(found('disk-flushes no; md-flushes no; disk-barrier no; disk-drain yes;'), [
      'DRBD_CONF_FLUSHES  disk-flushes no',
      'DRBD_CONF_FLUSHES  md-flushes no',
    ]);
    assert.deepEqual(found('disk-flushes yes; md-flushes yes; disk-barrier no;'), []);
    const common = 'common { handlers { fence-peer /h; } disk { fencing resource-only; md-flushes no; } }';
    assert.deepEqual(judge(`${common} resource data { on data-1-1 { } on data-1-2 { } }`, ['data']), [
      'DRBD_CONF_FLUSHES  md-flushes no',
    ]);
  });

  test('each volume here counts, with its own word before that of the resource; the other node says its own', () => {
    const volume = (at: number, disk: string) => `volume ${at} { disk /dev/sdb; disk { ${disk} } }`;
    const here = (text: string) => `on data-1-1 { ${text} }`;
    assert.deepEqual(found('', here(volume(0, '') + volume(1, 'disk-flushes no;'))), [
      'DRBD_CONF_FLUSHES  disk-flushes no',
    ]);
    assert.deepEqual(found('disk-flushes no;', here(volume(0, 'disk-flushes yes;'))), []);
    assert.deepEqual(found('disk-flushes no;', here(volume(0, 'disk-flushes yes;') + volume(1, ''))), [
      'DRBD_CONF_FLUSHES  disk-flushes no',
    ]);
    assert.deepEqual(found('', `on data-1-2 { ${volume(0, 'disk-flushes no;')} }`), []);
  });

  test('a disk error that is passed on, and a link that is left behind when it is full', () => {
    assert.deepEqual(found('on-io-error pass_on;', '', 'on-congestion pull-ahead;'), [
      'DRBD_CONF_CONGESTION  on-congestion pull-ahead',
      'DRBD_CONF_IO_ERROR  on-io-error pass_on',
    ]);
    for (const policy of ['detach', 'call-local-io-error'])
      assert.deepEqual(found(`on-io-error ${policy};`, '', 'on-congestion block;'), []);
  });
});

describe('in the programs', () => {
  let drbd: FakeDrbd;
  let where: Place;
  beforeEach(() => {
    drbd = new FakeDrbd();
    where = place();
    const files = {
      nodeinfo: 'data-1-1\n',
      'ha.cf': 'logfile /dev/null\nnode data-1-1 data-1-2\nucast lo 127.0.0.2\nauto_failback off\n',
      authkeys: 'auth 1\n1 sha1 secret\n',
      haresources: 'data-1-1 drbddisk::data\n',
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(`${where.dir}/ha.d/${name}`, text);
    chmodSync(`${where.dir}/ha.d/authkeys`, 0o600);
  });
  afterEach(() => {
    drbd.remove();
    where.remove();
  });

  const LOOSE = '# resource data on n1: not ignored, not stacked\n# defined at /etc/drbd.d/data.res:4\n';
  const loose = () => drbd.put('dump', `${LOOSE}${conf('net { protocol A; fencing resource-only; }')}`);
  const run = (...words: string[]) =>
    runBin('systole', words, {...where, env: {...where.env, HA_CURHOST: 'data-1-1', ...drbd.env}});
  const ask = (env = drbd.env) => confWarnings(new DrbdTools(env), {...CLUSTER, names: ['data']});

  test('without drbdadm, when it fails, and of what it could not say in full: nothing', async () => {
    assert.deepEqual(await ask(), []);
    loose();
    assert.equal((await ask()).length, 1);
    drbd.put('on-dump', 'cat dump; exit 1');
    assert.deepEqual(await ask(), []);
    drbd.lose('on-dump');
    drbd.put('dump', `${conf('')}${' '.repeat(OUTPUT_BYTES_MAX)}`);
    assert.deepEqual(await ask(), []);
    const nowhere = new DrbdTools(drbd.env);
    Object.defineProperty(nowhere, 'find', {value: () => undefined});
    assert.deepEqual(await confWarnings(nowhere, {...CLUSTER, names: ['data']}), []);
  });

  test('no group names a disk: drbdadm is not called', async () => {
    assert.deepEqual(await confWarnings(new DrbdTools(drbd.env), {...CLUSTER, names: []}), []);
    assert.equal(drbd.allCalls(), '');
  });

  test('systole check: a warning with its place, and exit 1', async () => {
    const before = await run('check', '--json');
    assert.doesNotMatch(before.stdout, /DRBD_CONF/);
    loose();
    const {status, stdout} = await run('check');
    assert.equal(status, 1);
    assert.match(
      stdout,
      /^\/etc\/drbd\.d\/data\.res:4:1: warning: data: protocol A: a write is .*\[DRBD_CONF_PROTOCOL\]\n {4}hint: protocol C$/m,
    );
    const {diagnostics} = JSON.parse((await run('check', '--json')).stdout);
    assert.equal(diagnostics.at(-1).code, 'DRBD_CONF_PROTOCOL');
  });

  test('systole check: another configuration error comes first, and drbdadm is not asked', async () => {
    loose();
    writeFileSync(`${where.dir}/ha.d/haresources`, 'nobody drbddisk::data\n');
    const {status, stdout} = await run('check');
    assert.equal(status, 6);
    assert.doesNotMatch(stdout, /DRBD_CONF/);
    assert.equal(drbd.allCalls(), '');
  });

  test('systole drbd status: shown below the resources, and its exit status is that of the disks', async () => {
    loose();
    const {status, stdout} = await run('drbd', 'status');
    assert.equal(status, 0, stdout);
    assert.match(
      stdout,
      /^data: Secondary on data-1-1, Connected(?:.|\n)*\n\n\/etc\/drbd\.d\/data\.res:4:1: warning: data: protocol A/,
    );
    const {warnings} = JSON.parse((await run('drbd', 'status', 'data', '--json')).stdout);
    assert.deepEqual([warnings.length, warnings[0].code], [1, 'DRBD_CONF_PROTOCOL']);
    writeFileSync(`${where.dir}/ha.d/haresources`, 'data-1-1 127.0.0.9\n');
    assert.doesNotMatch((await run('drbd', 'status')).stdout, /warning/);
  });
});
