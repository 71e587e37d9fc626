// Plans that succeeded, and are used again for the same request.
import { infiniteQueryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { queryClient } from './query';

export const learnedQuery = infiniteQueryOptions({
  queryKey: ['learned'],
  queryFn: ({ pageParam, signal }) =>
    unwrap(api.GET('/api/learned-plans', { params: { query: { limit: 50, cursor: pageParam ?? undefined } }, signal })),
  initialPageParam: null as string | null,
  getNextPageParam: (last) => last.next_cursor,
});

/** Forgets one learned plan, or all of them. */
export async function forget(id: string | null): Promise<void> {
  await (id === null
    ? unwrap(api.DELETE('/api/learned-plans'))
    : unwrap(api.DELETE('/api/learned-plans/{plan_id}', { params: { path: { plan_id: id } } })));
  await queryClient.invalidateQueries({ queryKey: ['learned'] });
}
