// The environment in which a process of the daemon starts: the administrator's, but for what makes Node slow to start.

/** NODE_EXTRA_CA_CERTS costs each start 35 ms of parsing certificates; no process of the daemon speaks TLS with it. */
export function daemonEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const {NODE_EXTRA_CA_CERTS: _, ...rest} = env;
  return rest;
}
