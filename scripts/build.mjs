// Compiles to dist/. Incremental enough: tsc takes well under a second.
import {spawnSync} from 'node:child_process';
import {rmSync} from 'node:fs';
import {fileURLToPath} from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
if (process.argv.includes('--clean')) rmSync(`${root}/dist`, {recursive: true, force: true});
const result = spawnSync(process.execPath, [`${root}/node_modules/typescript/bin/tsc`, '-p', root], {stdio: 'inherit'});
process.exit(result.status ?? 1);
