// The demo itself, the same on every stage: start, write, cut the power of the owner, watch the takeover, bring the
// node back, switch back on request, count the rows. Throws with a sentence when something did not happen in time.

import type {Screen} from './screen.js';
import type {Stage} from './stage.js';

export const stepCount = 6;

export interface PlayResult {
  /** Longest time in which the client had no acknowledged row, from the power cut on. */
  readonly crashOutageMs: number;
  readonly switchOutageMs: number;
  /** The same for the service address alone, which is back before the database is; absent where it is not probed. */
  readonly crashAddressOutageMs?: number;
  readonly switchAddressOutageMs?: number;
  readonly rowsAcknowledged: number;
  readonly rowsLost: number;
}

interface Outage {
  readonly rowsMs: number;
  readonly addressMs: number | undefined;
}

/** As with the original, peers wait 2 s longer for a daemon in its first 5 s; the demo shows the usual case. */
const youthMs = 5200;

export async function play(stage: Stage, screen: Screen): Promise<PlayResult> {
  const [home, other] = stage.nodes;
  screen.step('Set up');
  await screen.during(
    stage.build((text) => screen.note(text)),
    () => 'preparing',
  );

  screen.step('Start both daemons');
  screen.note(`haresources: ${stage.group()}`);
  await Promise.all(stage.nodes.map((node) => stage.startDaemon(node)));
  const ripeMs = performance.now() + youthMs;
  await screen.during(stage.servedBy(home, 30_000), () => `waiting for ${home} to serve`);
  screen.good(`${home} serves; the client's first row is acknowledged`);
  await screen.during(stage.settled(30_000), () => 'waiting for both nodes to settle');
  screen.table(await stage.report());

  screen.step(`Power cut of ${home} while the client writes`);
  await write(stage, screen, ripeMs);
  const crash = await outage(stage, other, screen, async () => {
    await stage.powerCut(home);
    screen.bad(`${home} has lost power: ${stage.powerCutMeans}`);
  });
  screen.good(`${other} has taken over: ${tell(crash)}`);
  screen.table(await stage.report());

  screen.step(`${home} comes back`);
  await stage.powerOn(home);
  await screen.during(stage.settled(30_000), () => `waiting for ${home} to join`);
  screen.good(`${home} is a member again and leaves the service where it is`);

  screen.step(`Planned switch: hb_standby on ${other}`);
  await write(stage, screen);
  const planned = await outage(stage, home, screen, () => stage.standby(other));
  screen.good(`${home} serves again: ${tell(planned)}`);
  screen.table(await stage.report());

  screen.step('Count the rows');
  const {acknowledged, lost} = await screen.during(stage.verify(), () => 'reading every row back');
  (lost === 0 ? screen.good : screen.bad)(`${acknowledged} rows were acknowledged, ${lost} are missing`);
  return {
    crashOutageMs: Math.round(crash.rowsMs),
    switchOutageMs: Math.round(planned.rowsMs),
    ...(crash.addressMs === undefined ? {} : {crashAddressOutageMs: Math.round(crash.addressMs)}),
    ...(planned.addressMs === undefined ? {} : {switchAddressOutageMs: Math.round(planned.addressMs)}),
    rowsAcknowledged: acknowledged,
    rowsLost: lost,
  };
}

/** Lets the client write for a while: two seconds at most, but at least until the given moment. */
async function write(stage: Stage, screen: Screen, atLeastMs = 0): Promise<void> {
  const before = (await stage.client()).acknowledged;
  const endMs = performance.now() + 2000;
  let now = before;
  const writing = async () => {
    while ((now < before + 500 && performance.now() < endMs) || performance.now() < atLeastMs) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      now = (await stage.client()).acknowledged;
    }
  };
  await screen.during(writing(), () => `${now} rows acknowledged`);
  screen.note(`${now} rows acknowledged so far`);
}

async function outage(stage: Stage, taker: string, screen: Screen, act: () => Promise<void>): Promise<Outage> {
  await stage.mark();
  const startMs = performance.now();
  await act();
  const text = () => `no service for ${((performance.now() - startMs) / 1000).toFixed(1)} s`;
  await screen.during(stage.servedBy(taker, 30_000), text);
  const {outageMs, addressOutageMs} = await stage.client();
  return {rowsMs: outageMs, addressMs: addressOutageMs};
}

function tell({rowsMs, addressMs}: Outage): string {
  const rows = `the client had no acknowledged row for ${Math.round(rowsMs)} ms`;
  return addressMs === undefined ? rows : `${rows}, no answer from the address for ${Math.round(addressMs)} ms`;
}
