import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  assertSandboxPossible,
  obstacles,
  type SandboxFacts,
  SandboxImpossibleError,
  sandboxFacts,
} from './preflight.ts';

const FINE: SandboxFacts = {
  uid: 1000,
  sysAdmin: false,
  seccompFilter: false,
  maxUserNamespaces: 15_000,
  unprivilegedUsernsClone: undefined,
  apparmorRestrictsUserns: undefined,
  namespaces: 'ok',
  dataFolder: '/home/a/longhand/.longhand',
  networkFileSystem: undefined,
};
const REFUSED = { error: 'unshare: Operation not permitted' };

function only(facts: Partial<SandboxFacts>): string {
  const found = obstacles({ ...FINE, ...facts });
  expect(found).toHaveLength(1);
  return `${found[0]?.cause} ${found[0]?.fix}`;
}

test('a machine that can isolate has no obstacle, as a user and as root', () => {
  expect(obstacles(FINE)).toEqual([]);
  expect(obstacles({ ...FINE, uid: 0, sysAdmin: true })).toEqual([]);
  // Whoever let AppArmor allow it is not told to do so again.
  expect(obstacles({ ...FINE, apparmorRestrictsUserns: 1 })).toEqual([]);
  // Without `unshare` installed nothing was tried, and nothing speaks against it.
  expect(obstacles({ ...FINE, namespaces: undefined })).toEqual([]);
});

test('each cause comes with its own fix', () => {
  expect(only({ maxUserNamespaces: 0, namespaces: REFUSED })).toMatch(
    /max_user_namespaces is 0.*sysctl -w user\.max_user/,
  );
  expect(only({ apparmorRestrictsUserns: 1, namespaces: REFUSED })).toMatch(
    /AppArmor.*apparmor_restrict_unprivileged_userns=0/,
  );
  expect(only({ apparmorRestrictsUserns: 1, namespaces: undefined })).toMatch(/AppArmor/);
  expect(only({ unprivilegedUsernsClone: 0, namespaces: REFUSED })).toMatch(/unprivileged_userns_clone=1/);
  expect(only({ seccompFilter: true, namespaces: REFUSED })).toMatch(/seccomp.*seccomp=unconfined/);
  expect(only({ uid: 0, sysAdmin: false })).toMatch(/CAP_SYS_ADMIN.*--cap-add SYS_ADMIN/);
  expect(only({ uid: 0, sysAdmin: true, namespaces: REFUSED })).toMatch(/Operation not permitted.*--privileged/);
  expect(only({ namespaces: REFUSED })).toMatch(/Operation not permitted/);
  expect(only({ networkFileSystem: 'NFS' })).toMatch(/on NFS.*LONGHAND_HOME/);
});

test('here the facts can be read, and sandboxes are possible', async () => {
  const folder = join(tmpdir(), 'not-there-yet', 'data');
  expect(await sandboxFacts(folder)).toMatchObject({ uid: process.getuid?.(), dataFolder: folder });
  await assertSandboxPossible(folder);
});

test('the error says that there is no unsandboxed mode, and the folder on a special file system is refused', async () => {
  // /proc is of neither kind; what matters is that the judgement reaches the person.
  const facts = { ...(await sandboxFacts('/proc')), networkFileSystem: 'NFS' };
  expect(obstacles(facts)).toHaveLength(1);
  expect(new SandboxImpossibleError('x').exitCode).toBe(2);
});
