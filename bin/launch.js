// Starts the compiled program NAME. Plain old JavaScript, so that a Node that is too old says so instead of failing on
// syntax. 5 is LSB's "program is not installed".
'use strict';

module.exports = function launch(name) {
  var have = process.versions.node.split('.').map(Number);
  if (have[0] < 20 || (have[0] === 20 && have[1] < 19)) {
    process.stderr.write(`${name}: Node.js 20.19 or newer is needed; this is ${process.versions.node}.\n`);
    process.exit(5);
  }
  var file = `${__dirname}/../dist/bundle/${fileOf(name)}.cjs`;
  if (!require('node:fs').existsSync(file)) fail(name, {code: 'ERR_MODULE_NOT_FOUND'});
  else require(file);
};

function fail(name, error) {
  if (error.code === 'ERR_MODULE_NOT_FOUND' && !require('node:fs').existsSync(`${__dirname}/../dist/bundle`)) {
    process.stderr.write(`${name}: not built yet; run: npm ci --ignore-scripts && npm run build\n`);
    process.exit(5);
  }
  process.stderr.write(`${name}: ${error instanceof Error ? error.stack : error.code}\n`);
  process.exit(1);
}

/** ResourceManager is resource-manager, hb_standby is hb-standby. */
function fileOf(name) {
  return name
    .replace(/([a-z])([A-Z])/g, '$1-$2')
    .replace(/_/g, '-')
    .toLowerCase();
}
