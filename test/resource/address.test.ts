// Goal: a service address is never taken while somebody else has it, the network learns at once where it is, and nothing
// but this address changes. Method: two network namespaces with a real cable between them.

import assert from 'node:assert/strict';
import {type ChildProcess, spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, test} from '@jest/globals';
import {isRoot, runAgent} from '../helpers/agent.js';
import {root} from '../helpers/command.js';
import {Sandbox} from '../helpers/sandbox.js';

if (!isRoot) process.stderr.write('service addresses: skipped, namespaces need root\n');

(isRoot ? describe : describe.skip)('service address', () => {
  let here: Sandbox;
  let there: Sandbox;
  const children: ChildProcess[] = [];
  beforeEach(async () => {
    [here, there] = await Promise.all([Sandbox.open(), Sandbox.open()]);
    here.connect(there);
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    await Promise.all([here.close(), there.close()]);
  });
  const call = (
    action: string,
    word: string,
    more: {sandbox?: Sandbox; agent?: string; env?: Record<string, string>} = {},
  ) =>
    runAgent({agent: more.agent ?? 'IPaddr', args: [word], sandbox: more.sandbox ?? here, env: more.env ?? {}}, action);
  const addresses = (box: Sandbox) => box.sh('ip -o -4 addr show dev v0').match(/10\.9\.\d+\.\d+(?=\/)/g);

  /** Counts announcements of the address as the other end of the cable sees them. */
  async function listen(address: string): Promise<{heard: () => number; until: (count: number) => Promise<void>}> {
    const hex = Buffer.from(address.split('.').map(Number)).toString('hex');
    const child = spawn(there.prefix[0]!, [...there.prefix.slice(1), 'perl', '-e', sniffer], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    let heard = 0;
    child.stdout.setEncoding('utf8');
    await once(child.stdout, 'data');
    child.stdout.on('data', (text: string) => {
      // Sender address and target address are the same: gratuitous.
      for (const frame of text.trim().split('\n'))
        if (frame.slice(56, 64) === hex && frame.slice(76, 84) === hex) heard++;
    });
    const until = async (count: number) => {
      while (heard < count) await once(child.stdout, 'data');
    };
    return {heard: () => heard, until};
  }

  test('the neighbour corrects its cache before start returns', async () => {
    there.sh('ip neigh replace 10.9.0.9 lladdr 02:00:00:00:00:99 dev v0 nud stale');
    assert.equal((await call('start', '10.9.0.9')).code, 0);
    assert.match(there.sh('ip neigh show 10.9.0.9'), new RegExp(here.mac()));
  });

  test('the same for IPv6', async () => {
    there.sh('ip neigh replace 2001:db8::9 lladdr 02:00:00:00:00:99 dev v0 nud stale');
    assert.equal((await call('start', '2001:db8::9/64/v0', {agent: 'IPv6addr'})).code, 0);
    assert.match(there.sh('ip -6 neigh show 2001:db8::9'), new RegExp(here.mac()));
  });

  test('a start of an address that is there already asks nobody and announces it again', async () => {
    here.sh('ip addr add 10.9.0.9/24 dev v0');
    there.sh('ip neigh replace 10.9.0.9 lladdr 02:00:00:00:00:99 dev v0 nud stale');
    const outcome = await call('start', '10.9.0.9', {env: {SYSTOLE_DAD_MS: '5000'}});
    assert.equal(outcome.code, 0, outcome.stderr);
    assert.ok(outcome.tookMs < 2000);
    assert.match(there.sh('ip neigh show 10.9.0.9'), new RegExp(here.mac()));
  });

  test('a stop that cannot see its effect fails', async () => {
    here.sh('ip addr add 10.9.0.9/24 dev v0');
    const directory = mkdtempSync(join(tmpdir(), 'systole-ip-'));
    try {
      // Deletes nothing and shows nothing: what an `ip` without memory would do.
      writeFileSync(`${directory}/ip`, '#!/bin/sh\nexit 1\n', {mode: 0o755});
      const env = {PATH: `${directory}:${process.env['PATH']}`};
      assert.notEqual((await call('stop', '10.9.0.9', {env})).code, 0);
      const status = await call('status', '10.9.0.9', {env});
      assert.equal(status.code, 4);
      assert.equal(status.stdout, '');
    } finally {
      rmSync(directory, {recursive: true});
    }
  });

  test.each(['resource.d/.lib/neighbour.pl', 'bin/drbd-peer-outdater'])(
    '%s, in Perl, is clean, though it runs without strict and warnings',
    (file) => {
      const {stderr} = spawnSync('perl', ['-Mstrict', '-Mwarnings', '-c', `${root}/${file}`]);
      assert.match(`${stderr}`, /^\S+ syntax OK\n$/);
    },
  );

  test.each(['IPaddr', 'IPaddr2'])('announcements are repeated, and end with the address (%s)', async (agent) => {
    // Another address of the interface, and the same one on another interface, are not it.
    here.sh('ip addr add 10.9.0.8/24 dev v0; ip link set lo up; ip addr add 10.9.0.9/32 dev lo');
    const ear = await listen('10.9.0.9');
    assert.equal((await call('start', '10.9.0.9', {agent})).code, 0);
    await ear.until(6); // Two pairs at once, a third 50 ms later.
    assert.equal((await call('stop', '10.9.0.9', {agent})).code, 0);
    const atStop = ear.heard();
    // The next repeats would come 150 and 450 ms after the third pair.
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.equal(ear.heard(), atStop);
  });

  test('an address under any label of its interface is announced again and again', async () => {
    here.sh('ip addr add 10.9.0.9/24 dev v0 label v0-vip');
    const ear = await listen('10.9.0.9');
    assert.equal((await call('start', '10.9.0.9')).code, 0);
    await ear.until(6);
  });

  test.each([
    ['10.9.0.2/24/v0', 'IPaddr'],
    ['2001:db8::2/64/v0', 'IPv6addr'],
  ])('%s of somebody else is refused with his MAC address', async (word, agent) => {
    const outcome = await call('start', word, {agent});
    assert.equal(outcome.code, 1);
    assert.match(outcome.stderr, new RegExp(`already used .* ${there.mac()}`));
    assert.match((await call('status', word, {agent})).stdout, /^not running/);
    // Control: without the question it would have been taken.
    assert.equal((await call('start', word, {agent, env: {SYSTOLE_DAD_MS: '0'}})).code, 0);
  });

  test('of two nodes that start at the same moment exactly one gets it', async () => {
    // Long enough that the two probes overlap also on a loaded machine.
    const env = {SYSTOLE_DAD_MS: '400'};
    const outcomes = await Promise.all([here, there].map((sandbox) => call('start', '10.9.0.9', {sandbox, env})));
    assert.deepEqual(
      outcomes
        .map((each) => each.code)
        .sort()
        .join(),
      '0,1',
      outcomes.map((each) => each.stderr).join(),
    );
  });

  test('stop keeps the addresses that came after it', async () => {
    const service = '10.9.7.1/24/v0';
    await call('start', service);
    here.sh('ip addr add 10.9.7.2/24 dev v0; ip addr add 10.9.7.3/24 dev v0');
    // Control: on this kernel the others would go with the first.
    assert.equal(here.sh('cat /proc/sys/net/ipv4/conf/v0/promote_secondaries').trim(), '0');
    assert.equal((await call('stop', service)).code, 0);
    assert.deepEqual(addresses(here)?.join(), '10.9.0.1,10.9.7.2,10.9.7.3');
    assert.equal(here.sh('cat /proc/sys/net/ipv4/conf/v0/promote_secondaries').trim(), '0');
  });

  test('mask, interface, label and broadcast are as written, or as the route says', async () => {
    await call('start', '10.9.0.9');
    assert.match(here.sh('ip -4 addr show dev v0'), /10\.9\.0\.9\/24 brd 10\.9\.0\.255 .*v0:0$/m);
    await call('start', '10.9.0.10/255.255.255.128/v0:db/10.9.0.127');
    assert.match(here.sh('ip -4 addr show dev v0'), /10\.9\.0\.10\/25 brd 10\.9\.0\.127 .*v0:db$/m);
    await call('start', '10.9.0.11/32', {agent: 'IPaddr2'});
    assert.match(here.sh('ip -4 addr show dev v0'), /10\.9\.0\.11\/32 scope global v0$/m);
  });

  test('an interface that is down neither takes the address nor counts as serving it', async () => {
    await call('start', '10.9.0.9/24/v0');
    here.sh('ip link set v0 down');
    const status = await call('status', '10.9.0.9/24/v0');
    assert.match(status.stdout, /^not running \(.*down/);
    assert.equal(status.code, 1);
    assert.equal((await call('start', '10.9.0.10/24/v0')).code, 1);
    assert.equal((await call('stop', '10.9.0.9/24/v0')).code, 0);
    assert.equal(addresses(here)?.join(), '10.9.0.1');
  });

  test('a lost carrier is said, and counts only on request', async () => {
    await call('start', '10.9.0.9/24/v0');
    there.sh('ip link set v0 down');
    here.until('ip link show dev v0 | grep -q NO-CARRIER');
    assert.match((await call('status', '10.9.0.9/24/v0')).stdout, /^running .*no carrier/);
    const strict = await call('status', '10.9.0.9/24/v0', {env: {SYSTOLE_CARRIER: 'yes'}});
    assert.match(strict.stdout, /^not running .*no carrier/);
  });

  test('an address on another interface of this node is not taken twice', async () => {
    here.sh(
      'ip link add w0 type veth peer name w1; ip link set w0 up; ip link set w1 up; ip addr add 10.9.0.9/24 dev w0',
    );
    assert.match((await call('start', '10.9.0.9/24/v0')).stderr, /already on w0, not on v0/);
    assert.equal((await call('stop', '10.9.0.9/24/v0')).code, 0);
    assert.match((await call('status', '10.9.0.9/24/v0')).stdout, /^not running/);
  });

  test('an address on lo asks nobody and leaves the same address elsewhere alone', async () => {
    const outcome = await call('start', '10.9.0.2/32/lo', {env: {SYSTOLE_DAD_MS: '5000'}});
    assert.equal(outcome.code, 0, outcome.stderr);
    assert.ok(outcome.tookMs < 2000);
    assert.match((await call('status', '10.9.0.2/24/v0')).stdout, /^not running/);
    assert.equal((await call('stop', '10.9.0.2/24/v0')).code, 0);
    assert.match((await call('status', '10.9.0.2/32/lo')).stdout, /^running/);
  });
});

// Prints each ARP frame in hexadecimal; the empty first line says that it listens. 0x0608 is ETH_P_ARP in network order.
const sniffer = `$| = 1; socket(my $s, 17, 3, unpack('S', pack('n', 0x0806))) or die; print "\\n";
while (defined recv($s, my $frame, 2000, 0)) { print unpack('H*', $frame), "\\n" }`;
