import { defineConfig } from 'drizzle-kit';

/** `npx drizzle-kit generate` writes the next migration from store/schema.ts. */
export default defineConfig({ dialect: 'postgresql', schema: './store/schema.ts', out: './store/migrations' });
