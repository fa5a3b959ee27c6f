// The operating errors: what stops a program of ours, as opposed to findings in configuration files (diagnostics.ts).
// Each row gives the LSB exit status, the text and what to do about it; docs/errors.md has a section for each code, and a
// test compares the two both ways. Texts never hold key material.

export const catalogue = {
  HB_CONFIG_INVALID: {
    exit: 6, // LSB: not configured.
    text: (d: {errors: number; directory: string}) =>
      `${d.errors} ${d.errors === 1 ? 'error' : 'errors'} in the configuration in ${d.directory}: heartbeat not started`,
    hint: (d: {directory: string}) => `systole check --config ${d.directory} lists them`,
  },
  HB_NOT_RUNNING: {
    exit: 7, // LSB: program is not running.
    text: (d: {socket: string}) => `heartbeat is not running: nothing answers on ${d.socket}`,
    hint: () => 'start it with: systemctl start heartbeat',
  },
  HB_NO_ANSWER: {
    exit: 1,
    text: (d: {waitedMs: number}) => `heartbeat gave no answer within ${d.waitedMs} ms`,
    hint: () => 'see the end of its log, and whether the process is stopped or starved of processor time',
  },
  HB_REFUSED: {
    exit: 1,
    text: (d: {request: string; reason: string}) => `${d.request} was refused: ${d.reason}`,
    hint: () => 'systole status shows what the cluster is doing',
  },
  HB_PERMISSION: {
    exit: 4, // LSB: insufficient privilege.
    text: (d: {action: string}) => `${d.action}: permission denied`,
    hint: () => 'run it as root, or as a member of group haclient where that is enough',
  },
  HB_LINK_OPEN: {
    exit: 1,
    text: (d: {link: string; reason: string}) => `make_io_childpair: cannot open ${d.link}: ${d.reason}`,
    hint: () => 'check the interface and whether another daemon holds the UDP port',
  },
  HB_STATE_WRITE: {
    exit: 1,
    text: (d: {path: string; reason: string}) => `cannot write ${d.path}: ${d.reason}`,
    hint: () =>
      'without this file a restarted node could reuse old packet numbers; free some space and check its owner',
  },
} as const;

export type ErrorCode = keyof typeof catalogue;
export type ErrorDetails<C extends ErrorCode> = Parameters<(typeof catalogue)[C]['text']>[0];
