/**
 * TLS with a key that both ends know, in place of certificates: whoever stands between the hands and a tool server, such
 * as an agent that listens at a more specific address of the same sandbox, learns nothing and can say nothing. (Under
 * gVisor it can: its network lets a second socket listen at the sandbox's own address beside one that listens at all.)
 */
import type { TlsOptions } from 'node:tls';

const IDENTITY = 'hands';
/** Forward secrecy, and known to TLS 1.2, the newest that Node does pre-shared keys with. */
const SHARED = {
  ciphers: 'ECDHE-PSK-CHACHA20-POLY1305',
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
} as const;
/** HTTP/2, and HTTP/1.1 for one large answer or body. */
export type Speech = 'h2' | 'http/1.1';

/** Options of a server. @param key - hex, 32 bytes. */
export function pskServer(key: string): TlsOptions {
  const psk = Buffer.from(key, 'hex');
  const ALPNProtocols: Speech[] = ['h2', 'http/1.1'];
  return {
    ...SHARED,
    ALPNProtocols,
    pskCallback: (_socket, identity) => (identity === IDENTITY ? psk : null),
    pskIdentityHint: '',
  };
}

/** Options of a connection. The handshake fails with whoever does not know the key. */
export function pskClient(key: string, speech: Speech) {
  const psk = Buffer.from(key, 'hex');
  return {
    ...SHARED,
    ALPNProtocols: [speech],
    pskCallback: () => ({ psk, identity: IDENTITY }),
    // There is no certificate whose name could be wrong.
    checkServerIdentity: () => undefined,
  };
}
