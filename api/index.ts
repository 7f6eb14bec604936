/** The api room: HTTP in, posts to workflows and rows of the store out. */
export { type ApiOptions, createApi } from './app.ts';
export type { ApiDeps, ApiSettings, ModelCatalogue, PartHealth } from './context.ts';
export { type ApiServer, startApi } from './server.ts';
export { createSessionService } from './session-service.ts';
