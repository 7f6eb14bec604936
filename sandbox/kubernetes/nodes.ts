/**
 * Nodes that have shown that they isolate. The same RuntimeClass may lead to another runtime on a node that was set up by
 * other hands, and a network may enforce policies on some nodes only; so each node is looked at before the first sandbox
 * on it is handed out.
 */
import { wordsOf } from './cluster.ts';

/** After a node was found unsafe, or could not be looked at; then it is looked at anew, milliseconds. */
const AGAIN_MS = 60_000;

export interface Nodes {
  /** From now on nodes must show it. Before, `probe` has not been called, and nothing is promised. */
  add(names: string[]): void;
  /** Resolves at once on a node that has shown it. @throws ClusterNotSafeError, or what kept it from being looked at. */
  ensure(name: string | undefined, target: string): Promise<void>;
}

/** @param look - at a node, by pods of this target on it. */
export function openNodes(look: (name: string, target: string) => Promise<void>): Nodes {
  let begun = false;
  const shown = new Set<string>();
  const looks = new Map<string, Promise<void>>();

  const lookAt = (name: string, target: string): Promise<void> => {
    const there = looks.get(name);
    if (there) return there;
    const made = look(name, target);
    looks.set(name, made);
    made.then(
      () => {
        shown.add(name);
        looks.delete(name);
      },
      // Sandboxes that come meanwhile get the same answer: each look costs two pods.
      () => setTimeout(() => looks.delete(name), AGAIN_MS).unref(),
    );
    return made;
  };

  return {
    add(names) {
      begun = true;
      for (const name of names) shown.add(name);
    },
    async ensure(name, target) {
      if (!begun || (name !== undefined && shown.has(name))) return;
      if (name === undefined) throw new Error('Kubernetes does not say on which node a sandbox runs.');
      await lookAt(name, target).catch((error: unknown) => {
        throw new Error(`The node ${name} takes no sandboxes: ${wordsOf(error)}`, { cause: error });
      });
    },
  };
}
