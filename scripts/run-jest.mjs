// Runs Jest over the compiled tests in the folders given, and ends with one line of real counts:
// `tests: N passed, N failed, N skipped`. Usage: node scripts/run-jest.mjs [--] FOLDER_OR_PATTERN...
import {spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'systole-jest-'));
const report = join(scratch, 'report.json');
const {status} = spawnSync(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    join(root, 'node_modules/jest/bin/jest.js'),
    '--json',
    `--outputFile=${report}`,
    ...process.argv.slice(2).filter((each) => each !== '--'),
  ],
  // With --json Jest prints its report to stdout; the readable one goes to stderr.
  {cwd: root, stdio: ['ignore', 'ignore', 'inherit']},
);
const counts = read(report);
rmSync(scratch, {recursive: true, force: true});
process.stdout.write(`tests: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
process.exit(status === 0 && counts.failed === 0 ? 0 : 1);

function read(path) {
  try {
    const found = JSON.parse(readFileSync(path, 'utf8'));
    // A suite that could not even be loaded has no tests; it counts as one failure.
    const failed = found.numFailedTests + found.numRuntimeErrorTestSuites;
    return {passed: found.numPassedTests, failed, skipped: found.numPendingTests + found.numTodoTests};
  } catch {
    return {passed: 0, failed: 1, skipped: 0};
  }
}
