// Goal: what the edge reads of a real directory reaches the check: names, modes, agents, units; nothing can block it.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, test} from '@jest/globals';
import {resolvePaths} from '../../src/model/paths.js';
import {bootLinkOf} from '../../src/runtime/boot-links.js';
import {formatFindings, type LoadedConfig, loadConfig} from '../../src/runtime/load-config.js';

let directory: string;
const at = (name: string) => join(directory, name);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'systole-config-'));
  mkdirSync(at('resource.d'));
  mkdirSync(at('units'));
  writeFileSync(at('nodeinfo'), 'Left\n');
  writeFileSync(at('ha.cf'), 'node left right\nucast lo 127.0.0.2\nauto_failback off\nrespawn root /bin/true\n');
  writeFileSync(at('authkeys'), 'auth 1\n1 sha1 k\u00e9y\n', {encoding: 'latin1', mode: 0o600});
  writeFileSync(at('haresources'), 'left agent::x\n');
  writeFileSync(at('resource.d/agent'), '#!/bin/sh\n', {mode: 0o755});
});

afterEach(() => rmSync(directory, {recursive: true, force: true}));

function load(): LoadedConfig {
  // The package directory has no resource.d: only the agents of this test exist, and those of /etc/init.d.
  const paths = resolvePaths({HA_DIR: directory}, at('nowhere'));
  return loadConfig(paths, {HA_UNITDIRS: at('units')});
}

test('a good directory', () => {
  const {config, diagnostics, sources} = load();
  assert.ok(config, JSON.stringify(diagnostics));
  assert.equal(config.ha.node, 'left');
  assert.equal(config.keyring.keys[0]?.key, 'k\u00e9y');
  assert.deepEqual([...sources.keys()], [at('ha.cf'), at('haresources')]);
});

test('agents: not executable, missing with the nearest name, a systemd unit through the systemd agent', () => {
  chmodSync(at('resource.d/agent'), 0o644);
  writeFileSync(at('haresources'), 'left agent::x\nright agetn\nleft web\n');
  const found = load().diagnostics.filter(({file}) => file.endsWith('haresources'));
  assert.deepEqual(
    found.map(({code, line}) => `${code} ${line}`),
    ['HB_HARESOURCES_EXECUTABLE 1', 'HB_HARESOURCES_SCRIPT 2', 'HB_HARESOURCES_SCRIPT 3'],
  );
  assert.equal(found[1]?.hint, 'did you mean agent?');
  writeFileSync(at('units/web.service'), '[Service]\n');
  writeFileSync(at('resource.d/systemd'), '#!/bin/sh\n', {mode: 0o755});
  assert.ok(!load().diagnostics.some(({line, file}) => line === 3 && file.endsWith('haresources')));
});

test('a unit that systemd starts at boot is named with its link', () => {
  writeFileSync(at('haresources'), 'left agent::x web systemd::web systemd::web.timer\n');
  writeFileSync(at('units/web.service'), '[Service]\n');
  writeFileSync(at('resource.d/systemd'), '#!/bin/sh\n', {mode: 0o755});
  const found = () => load().diagnostics.filter(({code}) => code === 'HB_HARESOURCES_BOOT');
  assert.deepEqual(found(), []);
  mkdirSync(at('units/multi-user.target.wants'));
  symlinkSync('../web.service', at('units/multi-user.target.wants/web.service'));
  assert.deepEqual(
    found().map(({severity, line, column, text}) => [severity, line, column, text]),
    [15, 19].map((column) => {
      const word = column === 15 ? 'web' : 'systemd::web';
      const link = at('units/multi-user.target.wants/web.service');
      return ['warning', 1, column, `init starts ${word} at boot (${link})`];
    }),
  );
  // An agent of the administrator with that name is not what init starts.
  writeFileSync(at('haresources'), 'left agent::x web\n');
  writeFileSync(at('resource.d/web'), '#!/bin/sh\n', {mode: 0o755});
  assert.deepEqual(found(), []);
});

test('an init script that sysvinit starts at boot', () => {
  mkdirSync(at('init.d'));
  mkdirSync(at('rc3.d'));
  writeFileSync(at('init.d/web'), '#!/bin/sh\n', {mode: 0o755});
  const dirs = {agentDirs: [at('resource.d'), at('init.d')], unitDirs: [at('units')], etcDir: directory};
  const link = (script: string) => bootLinkOf({script, args: []}, dirs);
  writeFileSync(at('rc3.d/K01web'), '');
  writeFileSync(at('rc3.d/S02web-cache'), '');
  assert.equal(link('web'), undefined);
  writeFileSync(at('rc3.d/S03web'), '');
  assert.equal(link('web'), at('rc3.d/S03web'));
  writeFileSync(at('rc3.d/S03agent'), '');
  assert.equal(link('agent'), undefined);
});

test('the mode of authkeys is looked at', () => {
  chmodSync(at('authkeys'), 0o644);
  assert.match(
    formatFindings(load()),
    /authkeys: error: Bad permissions on keyfile .* its mode is 644 \[HB_AUTHKEYS_MODE\]/,
  );
});

test('pipes, directories and huge files are findings, not hangs', () => {
  rmSync(at('ha.cf'));
  execFileSync('mkfifo', [at('ha.cf')]);
  rmSync(at('haresources'));
  mkdirSync(at('haresources'));
  writeFileSync(at('systole.conf'), '#'.repeat(2 << 20));
  const text = formatFindings(load());
  assert.match(text, /Cannot open configuration file \[.*ha\.cf\]: Not a file/);
  assert.match(text, /Cannot open resources file \[.*haresources\]: Is a directory/);
  assert.match(text, /Cannot open \[.*systole\.conf\]: larger than/);
});
