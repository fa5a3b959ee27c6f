// Starts the compiled program NAME of ../dist/src/commands. Plain old JavaScript, so that a Node that is too old says so
// instead of failing on syntax. 5 is LSB's "program is not installed".
'use strict';

module.exports = function launch(name) {
  var have = process.versions.node.split('.').map(Number);
  if (have[0] < 20 || (have[0] === 20 && have[1] < 19)) {
    process.stderr.write(`${name}: Node.js 20.19 or newer is needed; this is ${process.versions.node}.\n`);
    process.exit(5);
  }
  import(`../dist/src/commands/${fileOf(name)}.js`).catch((error) => {
    if (
      error instanceof Error &&
      error.code === 'ERR_MODULE_NOT_FOUND' &&
      !require('node:fs').existsSync(`${__dirname}/../dist`)
    ) {
      process.stderr.write(`${name}: not built yet; run: npm ci --ignore-scripts && npm run build\n`);
      process.exit(5);
    }
    process.stderr.write(`${name}: ${error instanceof Error ? error.stack : error}\n`);
    process.exit(1);
  });
};

/** ResourceManager is resource-manager.js, hb_standby is hb-standby.js. */
function fileOf(name) {
  return name
    .replace(/([a-z])([A-Z])/g, '$1-$2')
    .replace(/_/g, '-')
    .toLowerCase();
}
