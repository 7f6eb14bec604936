/** What the harness must know of a model. */
export interface ModelSpec {
  /** The id that agents name. */
  id: string;
  /** The id that the provider is asked for. */
  upstream: string;
  /** Context window, tokens. */
  window: number;
  /** Most tokens of one reply. */
  maxOutput: number;
  /** Efforts that the model takes, the default first; empty when it takes none. */
  efforts: readonly string[];
  /** `adaptive`: the model decides how much to think. */
  thinking: 'adaptive' | 'none';
  /** Takes `speed: "fast"`. */
  fast: boolean;
  /** Takes `role: "system"` in the middle of a conversation. */
  systemMessages: boolean;
}
