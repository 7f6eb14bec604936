/**
 * The SDK reads `ANTHROPIC_*` by itself. People point those at Longhand, so a brain that obeyed would call its own api;
 * and the headers that they set are meant for Anthropic, so a command that obeyed would send them to Longhand.
 */
export function forgetAnthropic(): void {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('ANTHROPIC_')) delete process.env[name];
  }
}
