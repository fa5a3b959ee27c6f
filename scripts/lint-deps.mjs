// Checks the architecture: who may import whom, purity of the pure layers, no cycles, no file above 400 lines.
// The table is docs/style.md section 3; a new folder needs a row here.
import {readdirSync, readFileSync, statSync} from 'node:fs';
import {dirname, join, normalize, relative} from 'node:path';
import {fileURLToPath} from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const pure = ['model', 'errors', 'wire', 'messaging', 'core', 'drbd', 'mysql', 'log', 'config', 'sim'];
const may = {
  model: [],
  errors: ['model'],
  wire: ['model'],
  messaging: ['model', 'wire'],
  core: ['model'],
  drbd: ['model', 'errors'],
  mysql: ['model', 'errors'],
  log: ['model'],
  config: ['model', 'errors'],
  sim: ['model', 'messaging', 'core', 'wire', 'config', 'log'],
  control: ['model', 'errors', 'wire'],
  runtime: ['model', 'errors', 'wire', 'messaging', 'core', 'drbd', 'mysql', 'log', 'config', 'control'],
  // The namespace lab and the demo: not part of the product at run time.
  lab: ['model', 'errors'],
  demo: ['model', 'errors', 'control', 'config', 'runtime', 'lab'],
  commands: [
    'model',
    'errors',
    'config',
    'control',
    'runtime',
    'sim',
    'log',
    'wire',
    'drbd',
    'mysql',
    'core',
    'messaging',
    'demo',
  ],
};
// node:zlib beside node:crypto: whole-message compression (wire-protocol.md 1.5) is part of decoding.
const allowedNode = {wire: ['node:crypto', 'node:zlib']};
const impure =
  /\b(process|console|setTimeout|setInterval|setImmediate|performance|fetch|queueMicrotask)\b\s*[.(]|\basync\b|\bawait\b|Date\.now\(|new Date\(\)|Math\.random\(/;

const problems = [];
const graph = new Map();
for (const file of walk(join(root, 'src'))) check(file);
for (const cycle of cycles()) problems.push(`cycle: ${cycle.join(' -> ')}`);
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.stdout.write(`lint:deps: ${graph.size} files, ${problems.length} problems\n`);
process.exit(problems.length === 0 ? 0 : 1);

function* walk(directory) {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    if (statSync(path).isDirectory()) yield* walk(path);
    else if (path.endsWith('.ts')) yield path;
  }
}

function check(path) {
  const name = relative(root, path);
  const layer = name.split('/')[1];
  const text = readFileSync(path, 'utf8');
  const lines = text.split('\n');
  if (!may[layer]) problems.push(`${name}: folder ${layer} has no row in scripts/lint-deps.mjs`);
  if (lines.length > 400) problems.push(`${name}: ${lines.length} lines, at most 400`);
  const imports = [];
  lines.forEach((line, index) => {
    const at = `${name}:${index + 1}`;
    const found =
      /(?:^|\s)(?:import|export)\s[^'"]*?from\s*['"]([^'"]+)['"]|import\(['"]([^'"]+)['"]\)|^\} from ['"]([^'"]+)['"]/.exec(
        line,
      );
    const target = found?.[1] ?? found?.[2] ?? found?.[3];
    if (target) checkImport(at, layer, path, target, imports);
    const code = line
      .replace(/\/\/.*$/, '')
      .replace(/^\s*\*.*$/, '')
      .replace(/\/\*.*?\*\//g, '')
      .replace(/'[^']*'|`[^`]*`/g, "''");
    if (pure.includes(layer) && impure.test(code)) problems.push(`${at}: impure code in a pure layer: ${line.trim()}`);
  });
  graph.set(name, imports);
}

function checkImport(at, layer, path, target, imports) {
  if (target.startsWith('.')) {
    const to = relative(root, normalize(join(dirname(path), target))).replace(/\.js$/, '.ts');
    const toLayer = to.split('/')[1];
    imports.push(to);
    if (toLayer !== layer && !may[layer]?.includes(toLayer))
      problems.push(`${at}: ${layer} must not import ${toLayer}`);
  } else if (pure.includes(layer) && !(allowedNode[layer] ?? []).includes(target)) {
    problems.push(`${at}: a pure layer must not import ${target}`);
  }
}

function cycles() {
  const found = [];
  const state = new Map();
  const visit = (file, trail) => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      found.push([...trail.slice(trail.indexOf(file)), file]);
      return;
    }
    state.set(file, 'open');
    for (const next of graph.get(file) ?? []) if (graph.has(next)) visit(next, [...trail, file]);
    state.set(file, 'done');
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}
