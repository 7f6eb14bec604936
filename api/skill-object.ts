/** Skills and their versions as clients see them. */
import type { BetaSkill } from '@anthropic-ai/sdk/resources/beta/skills';
import type { BetaSkillVersion } from '@anthropic-ai/sdk/resources/beta/skills/versions';
import { z } from '@hono/zod-openapi';
import type { SkillRow, SkillVersionRow } from '../store/skills.ts';
import { time } from './agent-object.ts';
import { id } from './common.ts';
import type { OperatorSkill } from './operator-skills.ts';

export const skillObject = z
  .strictObject({
    id,
    type: z.literal('skill'),
    display_name: z.string(),
    /** What `latest` stands for. */
    latest_version_id: z.string(),
    source: z.strictObject({ type: z.enum(['custom', 'anthropic']) }),
    created_at: time,
    updated_at: time,
  })
  .openapi('Skill') satisfies z.ZodType<BetaSkill>;

export const skillVersionObject = z
  .strictObject({
    id,
    type: z.literal('skill_version'),
    skill_id: id,
    name: z.string(),
    description: z.string(),
    created_at: time,
  })
  .openapi('SkillVersion') satisfies z.ZodType<BetaSkillVersion>;

export function toSkill(row: SkillRow): BetaSkill {
  return {
    id: row.id,
    type: 'skill',
    display_name: row.displayName,
    latest_version_id: row.latestVersionId,
    source: { type: 'custom' },
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

export function toSkillVersion(row: SkillVersionRow): BetaSkillVersion {
  return {
    id: row.id,
    type: 'skill_version',
    skill_id: row.skillId,
    name: row.name,
    description: row.description,
    created_at: row.createdAt.toISOString(),
  };
}

export function operatorToSkill(skill: OperatorSkill): BetaSkill {
  const at = skill.changedAt.toISOString();
  return {
    ...{ id: skill.id, type: 'skill', display_name: skill.name, latest_version_id: skill.version },
    ...{ source: { type: 'anthropic' }, created_at: at, updated_at: at },
  };
}

export function operatorToVersion(skill: OperatorSkill): BetaSkillVersion {
  const { id, name, description, version, changedAt } = skill;
  return {
    ...{ id: version, type: 'skill_version', skill_id: id, name, description },
    created_at: changedAt.toISOString(),
  };
}
