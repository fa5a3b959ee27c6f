// Run after `npm install` changed package-lock.json: drops optional platform packages that the lock does not hold
// (development tools for other systems), so that `npm ci` agrees with it. Run-time packages have no such builds.
import {readFileSync, writeFileSync} from 'node:fs';

const path = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(path, 'utf8'));
const names = new Set(Object.keys(lock.packages).map((key) => key.split('node_modules/').at(-1)));
for (const entry of Object.values(lock.packages)) {
  const optional = entry.optionalDependencies ?? {};
  for (const name of Object.keys(optional)) if (!names.has(name)) delete optional[name];
  if (Object.keys(optional).length === 0) delete entry.optionalDependencies;
}
writeFileSync(path, `${JSON.stringify(lock, undefined, 2)}\n`);
