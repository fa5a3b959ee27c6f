// Goal: docs/errors.md and the code name the same codes, with the same severity or exit status; both ways.
import assert from 'node:assert/strict';
import {readdirSync, readFileSync} from 'node:fs';
import {test} from '@jest/globals';
import {catalogue} from '../../src/errors/catalogue.js';
import {diagnosticCatalogue} from '../../src/errors/diagnostics.js';
import {formatError, SystoleError} from '../../src/errors/systole-error.js';
import {root} from '../helpers/config.js';

test('every code has a section and every section a code', () => {
  const documented = [...readFileSync(`${root}/docs/errors.md`, 'utf8').matchAll(/^### (\S+)\n\n(.*)\.$/gm)].map(
    ([, code, kind]) => `${code} ${kind}`,
  );
  const errors = Object.entries(catalogue).map(([code, {exit}]) => `${code} Exit status ${exit}`);
  const findings = Object.entries(diagnosticCatalogue).map(
    ([code, {severity}]) => `${code} ${severity[0]?.toUpperCase()}${severity.slice(1)}`,
  );
  assert.deepEqual(documented.sort(), [...errors, ...findings].sort());
});

test('no finding code is left that nothing reports', () => {
  const source = ['config', 'drbd']
    .flatMap((layer) => readdirSync(`${root}/src/${layer}`).map((name) => `${root}/src/${layer}/${name}`))
    .map((path) => readFileSync(path, 'utf8'))
    .join('');
  assert.deepEqual(
    Object.keys(diagnosticCatalogue).filter((code) => !source.includes(`'${code}'`)),
    [],
  );
});

test('an operating error carries text, details, hint and exit status', () => {
  const error = new SystoleError('HB_CONFIG_INVALID', {errors: 1, directory: '/etc/ha.d'});
  assert.equal(
    formatError(error),
    'error: 1 error in the configuration in /etc/ha.d: heartbeat not started [HB_CONFIG_INVALID]\n    hint: systole check --config /etc/ha.d lists them',
  );
  assert.deepEqual([error.exit, error.details.errors, error instanceof Error], [6, 1, true]);
});
