// The environment in which DRBD runs its handlers. 8.4 gives DRBD_PEER and DRBD_PEERS, 9 only DRBD_PEERS or, called for one
// connection, DRBD_PEER_NODE_ID with a name for each id in DRBD_NODE_ID_n.

/** The host name of the peer that the handler is about; undefined: none, or more than one. */
export function peerFromEnvironment(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const byId = env[`DRBD_NODE_ID_${env['DRBD_PEER_NODE_ID'] ?? ''}`];
  if (byId) return byId;
  if (env['DRBD_PEER']) return env['DRBD_PEER'];
  const names = (env['DRBD_PEERS'] ?? '').split(/\s+/).filter((name) => name !== '');
  return names.length === 1 ? names[0] : undefined;
}
