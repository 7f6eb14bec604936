/** Kinds of values that settings have: from the text of an environment variable, or undefined, to what the code takes. */
import { z } from 'zod';

export const text = z.string().optional();
export const flag = z
  .enum(['true', 'false'], 'Give true or false')
  .default('false')
  .transform((word) => word === 'true');
export const list = z
  .string()
  .optional()
  .transform((value) =>
    (value ?? '')
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean),
  );

/** Names of the task queues that hands serve: one per target that has workers of its own. */
export const QUEUE = /^hands(\.[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?)?$/;

interface Range {
  /** When it is unset. */
  fallback: number;
  least: number;
  most: number;
  whole?: boolean;
}

/** @param fix - what to give instead of what is wrong. */
export function number({ fallback, least, most, whole = false }: Range, fix: string) {
  return z
    .string()
    .optional()
    .transform((value, context) => {
      const given = value === undefined ? fallback : Number(value);
      const known = whole ? Number.isInteger(given) : Number.isFinite(given);
      if (known && given >= least && given <= most) return given;
      context.addIssue(fix);
      return z.NEVER;
    });
}

export const port = (fallback: number) =>
  number({ fallback, least: 0, most: 65_535, whole: true }, 'Give a port from 0 to 65535; 0 takes any free one');

/** Given in seconds, taken in ms. */
export const seconds = (fallback: number, most: number) =>
  number({ fallback, least: 1, most }, `Give a number of seconds from 1 to ${most}`).transform(
    (value) => value * 1_000,
  );

export const url = (protocols: string[], example: string) =>
  z
    .string()
    .optional()
    .refine(
      (value) => value === undefined || protocols.includes(/^([a-z][a-z0-9+]*):/.exec(value)?.[1] ?? ''),
      `Give a URL such as ${example}`,
    );

export const headers = z
  .string()
  .optional()
  .transform((value, context): Record<string, string> => {
    if (value === undefined) return {};
    try {
      return z.record(z.string().regex(/^[A-Za-z0-9-]+$/), z.string()).parse(JSON.parse(value));
    } catch {
      context.addIssue('Give a JSON object of strings, such as {"x-team": "blue"}');
      return z.NEVER;
    }
  });

export const apiKey = z
  .string()
  .regex(/^lh-[\x21-\x7e]{13,}$/, 'Give a key that starts with "lh-" and has at least 16 characters, or unset it')
  .optional();
