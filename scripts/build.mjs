// Compiles to dist/, and joins each program that is started often into one CommonJS file in dist/bundle: Node loads that in a
// third of the time that a dozen ES modules take. Incremental enough: well under two seconds.
import {spawnSync} from 'node:child_process';
import {readdirSync, readFileSync, rmSync} from 'node:fs';
import {basename, relative} from 'node:path';
import {fileURLToPath} from 'node:url';
import {build} from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
if (process.argv.includes('--clean')) rmSync(`${root}/dist`, {recursive: true, force: true});
const result = spawnSync(process.execPath, [`${root}/node_modules/typescript/bin/tsc`, '-p', root], {stdio: 'inherit'});
// An error of types alone leaves good JavaScript behind, which development goes on with.
await bundle();
process.exit(result.status ?? 1);

async function bundle() {
  const commands = readdirSync(`${root}/src/commands`)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `commands/${basename(name, '.ts')}.js`);
  const entries = [...commands, 'runtime/manager-process.js', 'runtime/messaging-process.js'];
  await build({
    absWorkingDir: root,
    entryPoints: entries.map((name) => `dist/src/${name}`),
    entryNames: '[name]',
    outdir: 'dist/bundle',
    outExtension: {'.js': '.cjs'},
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20.19',
    sourcemap: 'linked',
    sourcesContent: false,
    logLevel: 'warning',
    plugins: [{name: 'import-meta-url', setup: keepPlaces}],
  });
}

/** Each module still believes to lie where it was compiled to, so that files found relative to it are found. */
function keepPlaces({onLoad}) {
  onLoad({filter: /\/dist\/src\/.*\.js$/}, ({path}) => {
    const text = readFileSync(path, 'utf8');
    if (!text.includes('import.meta.url')) return undefined;
    const place = JSON.stringify(`/../${relative(`${root}/dist`, path)}`);
    return {
      contents: text.replaceAll('import.meta.url', `require('node:url').pathToFileURL(__dirname + ${place}).href`),
    };
  });
}
