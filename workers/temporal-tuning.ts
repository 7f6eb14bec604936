/**
 * How a Temporal server should be set for sessions. The dev server gets it as flags; other servers as
 * `deploy/temporal/dynamic-config.yaml`, which a test compares with this.
 */

/** The default is 20 polls a second for each shard: with few shards each step of a session then waits 100 ms. */
export const LATENCY_SETTINGS: Readonly<Record<string, unknown>> = {
  'history.transferProcessorMaxPollRPS': 5000,
  'history.timerProcessorMaxPollRPS': 5000,
  'system.enableActivityEagerExecution': true,
};

/** The HTTP API answers cross-site requests without asking: any web page could signal a workflow. Only gRPC stays. */
export const CLOSED_HTTP_API: Readonly<Record<string, unknown>> = { 'frontend.httpAllowedHosts': ['none.invalid'] };
