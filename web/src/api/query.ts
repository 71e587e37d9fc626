// How answers are kept and when they are asked for again.
import { QueryClient } from '@tanstack/react-query';
import { ProblemError } from './client';

const MAY_PASS = new Set([0, 502, 503, 504]);

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      retry: (count, error) => error instanceof ProblemError && MAY_PASS.has(error.status) && count < 2,
      retryDelay: (count, error) =>
        error instanceof ProblemError && error.retryAfterS !== null ? error.retryAfterS * 1000 : 500 * 2 ** count,
      networkMode: 'always',
    },
    mutations: { networkMode: 'always' },
  },
});
