// Whether everything that belongs to the federation is there.
import { queryOptions } from '@tanstack/react-query';
import { API_URL, toProblem } from './client';

export interface Ready {
  ready: boolean;
  missing: string[];
}

export const readyQuery = queryOptions({
  queryKey: ['ready'],
  queryFn: async ({ signal }): Promise<Ready> => {
    try {
      const response = await fetch(`${API_URL}/ready`, { signal });
      return (await response.json()) as Ready;
    } catch (error) {
      if (signal.aborted) throw error;
      throw toProblem(error);
    }
  },
  refetchInterval: 15_000,
});

export const healthQuery = queryOptions({
  queryKey: ['health'],
  queryFn: async ({ signal }) => {
    const response = await fetch(`${API_URL}/health`, { signal });
    return (await response.json()) as { status: string; version: string; problems?: string[] };
  },
});
