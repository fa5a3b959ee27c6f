// Goal: no text, however broken, makes a reader throw or point outside of the file, and keys never show. Method: arbitrary
// text, and text glued together from the words these files are made of.
import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import fc from 'fast-check';
import {formatDiagnostic} from '../../src/config/check.js';
import {directiveNames} from '../../src/config/ha-cf.js';
import {diagnosticCatalogue} from '../../src/errors/diagnostics.js';
import {build, type Texts} from '../helpers/config.js';

const words = [
  ...directiveNames,
  'n1',
  'n2',
  'eth0',
  '10.0.0.2',
  '239.0.0.1',
  'on',
  'off',
  '694',
  '0',
  '3s',
  '250ms',
  'auth',
  'sha1',
]
  .concat([
    'crc',
    '[timeouts]',
    '[agent x]',
    '[resources]',
    'start',
    '=',
    'stop-retries',
    '__proto__',
    'constructor',
    '::',
    '/dev/x',
  ])
  .concat([
    '\\',
    '\\\n',
    '#',
    ',',
    '\t',
    '\r\n',
    '\n',
    '\n',
    '\u0000',
    '\u001b[2J',
    'é',
    '\ud800',
    'uid=root',
    '*',
    'external/ssh',
  ]);
const glued = fc
  .array(fc.constantFrom(...words), {maxLength: 60})
  .map((parts) => parts.join(' ').replaceAll(' \\\n ', '\\\n'));
const text = fc.oneof(glued, fc.string({unit: 'binary', maxLength: 300}));

const FILES = {haCf: 'ha.cf', authkeys: 'authkeys', haresources: 'haresources', systoleConf: 'systole.conf'} as const;

test.each(Object.keys(FILES) as (keyof typeof FILES)[])(
  'any text as %s gives findings inside the file, and one line each',
  (name) => {
    fc.assert(
      fc.property(text, (content) => {
        const texts: Texts = {[name]: content};
        const {config, diagnostics} = build(texts);
        assert.equal(
          config === undefined,
          diagnostics.some(({severity}) => severity === 'error'),
        );
        const lines = content.split('\n');
        for (const found of diagnostics) {
          assert.ok(Object.hasOwn(diagnosticCatalogue, found.code), found.code);
          assert.doesNotMatch(`${found.text}${found.hint}`, /[\u0000-\u001f\u007f]/);
          const shown = formatDiagnostic(found, content).split('\n');
          assert.ok(shown.length === 2 || shown.length === 4);
          if (!found.file.endsWith(`/${FILES[name]}`) || found.line === 0) continue;
          assert.ok(found.line >= 1 && found.line <= lines.length, JSON.stringify(found));
          assert.ok(
            found.column >= 1 && found.column - 1 + found.length <= (lines[found.line - 1]?.length ?? 0),
            JSON.stringify(found),
          );
        }
      }),
      {numRuns: 300},
    );
  },
);

test('no word of authkeys shows in a finding', () => {
  const secret = fc.stringMatching(/^[A-Z]{8,12}$/);
  const shape = fc.constantFrom(
    'auth 1\n1 sha1 %',
    '1 sha1 %\nauth 1',
    '%',
    '1 %',
    'auth %',
    '% sha1 x',
    '1 sha1 a %',
    '1 crc %',
    'a%',
    '99 md5 %',
  );
  fc.assert(
    fc.property(secret, fc.array(shape, {minLength: 1, maxLength: 4}), (key, shapes) => {
      const {diagnostics} = build({authkeys: shapes.join('\n').replaceAll('%', key)});
      assert.ok(!diagnostics.some((each) => formatDiagnostic(each).includes(key)));
    }),
  );
});

test('hostile files stay cheap: a megabyte of mistakes is read in bounded time and findings', () => {
  const {diagnostics} = build({haCf: 'kepalive 3s\n'.repeat(80_000), haresources: `${'x '.repeat(20_000)}\n`});
  assert.equal(diagnostics.length, 500);
});
