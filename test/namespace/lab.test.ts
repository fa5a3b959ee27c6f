// The lab itself, without any cluster daemon: the other namespace tests believe what it says about power cuts, cables
// and pauses.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {existsSync, readFileSync} from 'node:fs';
import {createInterface} from 'node:readline';
import {afterEach} from '@jest/globals';
import {Prober} from '../../src/lab/client.js';
import {mountsOf} from '../../src/lab/disk.js';
import {packageRoot, removeStaleLabs} from '../../src/lab/host.js';
import {Lab} from '../../src/lab/lab.js';
import {until} from '../../src/lab/wait.js';
import {labTest} from '../helpers/lab-test.js';

let lab: Lab | undefined;
afterEach(async () => {
  await lab?.close();
  lab = undefined;
});

labTest('a power cut keeps what was synchronised, loses what was not, and frees the disk for the other node', async () => {
  lab = await Lab.create({diskMb: 16});
  await lab.powerOn();
  const [n1, n2] = lab.nodes;
  const device = lab.disk?.device ?? '';
  await n1!.machine.run(`mount ${device} /data; echo durable >/data/kept; sync; echo volatile >/data/lost`);
  await n1!.machine.run('sh -c "while :; do echo x >>/data/kept; done" >/dev/null 2>&1 & echo started');
  assert.deepEqual(mountsOf(n1!.machine.pid, device), ['/data']);
  await n1!.powerCut();
  await n2!.machine.run(`mount ${device} /data`);
  assert.match(await n2!.machine.run('head -1 /data/kept'), /durable/);
  assert.doesNotMatch(await n2!.machine.run('cat /data/lost 2>/dev/null || true'), /volatile/);
}, ['mkfs.ext4', 'losetup']);

labTest('a node that lost power is silent, boots again with its state, and orphans are reaped', async () => {
  lab = await Lab.create();
  await lab.powerOn();
  const [n1] = lab.nodes;
  const prober = await Prober.start(lab.client, {address: '10.77.0.1'});
  await prober.answeredBy('n1', 5000);
  await n1!.machine.run('echo 7 >/var/lib/heartbeat/hb_generation; echo x >/run/volatile');
  await n1!.powerCut();
  assert.deepEqual(await lab.owners('10.77.0.1'), []);
  await prober.mark();
  await n1!.powerOn();
  await prober.answeredBy('n1', 5000);
  assert.equal(
    await n1!.machine.run('cat /var/lib/heartbeat/hb_generation; ls /run/volatile 2>/dev/null || true'),
    '7\n',
  );
  await n1!.machine.run('(sh -c "exit 0" & echo)');
  await until(async () => !(await n1!.machine.run('ps -eo stat')).includes('Z'), {
    timeoutMs: 2000,
    what: () => 'zombies',
  });
});

labTest('cables: a cut one carries nothing, with and without carrier; the other link is untouched', async () => {
  lab = await Lab.create();
  await lab.powerOn();
  const [n1] = lab.nodes;
  // Duplicate-address detection exits 1 as soon as somebody answers, 0 when nobody does in time.
  const hears = async (address: string) => {
    const link = address.startsWith('10.77.1.') ? 'eth1' : 'eth0';
    return (await n1!.machine.exec(`arping -q -D -c 1 -w 1 -I ${link} ${address}`)).code === 1;
  };
  assert.ok((await hears('10.77.0.2')) && (await hears('10.77.1.2')));
  await n1!.cut('eth1', 'kept');
  assert.match(await n1!.machine.run('cat /sys/class/net/eth1/carrier'), /1/);
  assert.deepEqual([await hears('10.77.0.2'), await hears('10.77.1.2')], [true, false]);
  await n1!.heal('eth1');
  await n1!.cut('eth0', 'lost');
  assert.match(await n1!.machine.run('cat /sys/class/net/eth0/carrier'), /0/);
  assert.deepEqual([await hears('10.77.0.2'), await hears('10.77.1.2')], [false, true]);
  await n1!.heal('eth0');
  await until(() => hears('10.77.0.2'), {timeoutMs: 5000, what: () => 'eth0 does not heal'});
}, ['arping']);

labTest('a paused node runs nothing, and a paused node can be switched off', async () => {
  lab = await Lab.create();
  await lab.powerOn();
  const [n1, n2] = lab.nodes;
  const prober = await Prober.start(lab.client, {address: '10.77.0.1'});
  await prober.answeredBy('n1', 5000);
  await n1!.machine.pause();
  await prober.mark();
  await until(async () => (await prober.report()).silentMs > 150, {timeoutMs: 2000, what: () => 'n1 still answers'});
  await n1!.machine.resume();
  await prober.answeredBy('n1', 2000);
  await n2!.machine.pause();
  await n2!.powerCut();
});

labTest('a lab whose process is killed leaves no process and no loop device', async () => {
  const program = `const {Lab} = await import('${packageRoot}/dist/src/lab/lab.js');
    const lab = await Lab.create({diskMb: 8}); await lab.powerOn();
    await lab.nodes[0].machine.run('mount ' + lab.disk.device + ' /data');
    console.log(JSON.stringify({device: lab.disk.device, pids: [lab.client.pid, ...lab.nodes.map((n) => n.machine.pid)]}));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {stdio: ['ignore', 'pipe', 'inherit']});
  const line = await new Promise<string>((resolve) => createInterface({input: child.stdout}).once('line', resolve));
  const made = JSON.parse(line) as {device: string; pids: number[]};
  for (const pid of made.pids) assert.ok(existsSync(`/proc/${pid}`));
  const backing = `/sys/block/${made.device.replace('/dev/', '')}/loop/backing_file`;
  const image = readFileSync(backing, 'utf8');
  child.kill('SIGKILL');
  await until(() => made.pids.every((pid) => !existsSync(`/proc/${pid}`)), {
    timeoutMs: 5000,
    what: () => 'machines live on',
  });
  const holds = () => existsSync(backing) && readFileSync(backing, 'utf8') === image;
  await until(() => !holds(), {timeoutMs: 5000, what: () => `${made.device} is still attached`});
  removeStaleLabs();
}, ['mkfs.ext4', 'losetup']);
