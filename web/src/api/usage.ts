// What calls of models cost.
import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import type { components } from './schema';

export type Spending = components['schemas']['Spending'];
export const GROUPS = ['agent', 'model', 'user', 'role', 'workflow', 'task'] as const;
export type Group = (typeof GROUPS)[number];

export const usageQuery = (groupBy: Group | 'day', days: number) =>
  queryOptions({
    queryKey: ['usage', groupBy, days],
    queryFn: ({ signal }) => {
      const since = new Date(Date.now() - days * 86_400_000).toISOString();
      return unwrap(api.GET('/api/usage', { params: { query: { group_by: groupBy, since, limit: 200 } }, signal }));
    },
    staleTime: 30_000,
  });
