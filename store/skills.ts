/** Skills and their versions. A skill has at least one version; a version never changes. */
import { and, desc, eq, sql } from 'drizzle-orm';
import type { Queries } from './database.ts';
import { after, type Position } from './pages.ts';
import { skills, skillVersions } from './schema.ts';

export type SkillRow = typeof skills.$inferSelect & { latestVersionId: string };
export type NewSkill = typeof skills.$inferInsert;
export type SkillVersionRow = typeof skillVersions.$inferSelect;
export type { SessionSkill, SkillFile } from './schema.ts';

const latest = sql<string>`(select v.id from ${skillVersions} v where v.skill_id = ${skills}.id
  order by v.created_at desc, v.id desc limit 1)`;
const columns = {
  id: skills.id,
  workspaceId: skills.workspaceId,
  name: skills.name,
  displayName: skills.displayName,
  createdAt: skills.createdAt,
  updatedAt: skills.updatedAt,
  latestVersionId: latest,
};

/** A skill with its first version. */
export async function insertSkill(db: Queries, skill: NewSkill, version: SkillVersionRow): Promise<void> {
  await db.insert(skills).values(skill).onConflictDoNothing();
  await db.insert(skillVersions).values(version).onConflictDoNothing();
}

export async function insertSkillVersion(db: Queries, version: SkillVersionRow): Promise<void> {
  await db.insert(skillVersions).values(version).onConflictDoNothing();
  await db.update(skills).set({ updatedAt: version.createdAt }).where(eq(skills.id, version.skillId));
}

/** @param lock - nobody else changes the skill's versions until the transaction ends. */
export async function findSkill(
  db: Queries,
  workspaceId: string,
  id: string,
  lock?: 'update',
): Promise<SkillRow | undefined> {
  const query = db
    .select(columns)
    .from(skills)
    .where(and(eq(skills.id, id), eq(skills.workspaceId, workspaceId)));
  const [row] = await (lock ? query.for(lock) : query);
  return row;
}

/** Newest first. */
export async function listSkills(
  db: Queries,
  workspaceId: string,
  limit: number,
  position?: Position,
): Promise<SkillRow[]> {
  return await db
    .select(columns)
    .from(skills)
    .where(and(eq(skills.workspaceId, workspaceId), position && after(skills.createdAt, skills.id, position, 'desc')))
    .orderBy(desc(skills.createdAt), desc(skills.id))
    .limit(limit);
}

/** With all its versions. */
export async function deleteSkill(db: Queries, id: string): Promise<void> {
  await db.delete(skillVersions).where(eq(skillVersions.skillId, id));
  await db.delete(skills).where(eq(skills.id, id));
}

/** @param version - an id, or `latest`. */
export async function findSkillVersion(
  db: Queries,
  skill: SkillRow,
  version: string,
): Promise<SkillVersionRow | undefined> {
  const wanted = version === 'latest' ? skill.latestVersionId : version;
  const [row] = await db
    .select()
    .from(skillVersions)
    .where(and(eq(skillVersions.id, wanted), eq(skillVersions.skillId, skill.id)));
  return row;
}

/** Newest first. */
export async function listSkillVersions(
  db: Queries,
  skillId: string,
  limit: number,
  position?: Position,
): Promise<SkillVersionRow[]> {
  return await db
    .select()
    .from(skillVersions)
    .where(
      and(
        eq(skillVersions.skillId, skillId),
        position && after(skillVersions.createdAt, skillVersions.id, position, 'desc'),
      ),
    )
    .orderBy(desc(skillVersions.createdAt), desc(skillVersions.id))
    .limit(limit);
}

export async function deleteSkillVersion(db: Queries, id: string): Promise<void> {
  await db.delete(skillVersions).where(eq(skillVersions.id, id));
}
