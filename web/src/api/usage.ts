// What calls of models cost.
import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import type { components } from './schema';

export type Spending = components['schemas']['Spending'];
export const GROUPS = ['agent', 'model', 'user', 'role', 'workflow', 'task'] as const;
export type Group = (typeof GROUPS)[number];

const DAY_MS = 86_400_000;

export const usageQuery = (groupBy: Group | 'day', days: number) =>
  queryOptions({
    queryKey: ['usage', groupBy, days],
    queryFn: async ({ signal }) => {
      const since = new Date(Math.floor(Date.now() / DAY_MS - days + 1) * DAY_MS).toISOString();
      const page = (cursor: string | null = null) =>
        unwrap(api.GET('/api/usage', { params: { query: { group_by: groupBy, since, limit: 200, cursor } }, signal }));
      const { items, next_cursor, total } = await page();
      // Of days all are shown, of the rest the dearest; a year has two pages.
      const rest = groupBy === 'day' && next_cursor ? (await page(next_cursor)).items : [];
      return { items: [...items, ...rest], total };
    },
    staleTime: 30_000,
  });
