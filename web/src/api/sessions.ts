// Sessions and what was said in them.
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, every, unwrap } from './client';
import { queryClient } from './query';
import type { Message, Session } from './types';

export const sessionsQuery = infiniteQueryOptions({
  queryKey: ['sessions', 'list'],
  queryFn: ({ pageParam, signal }) =>
    unwrap<{ items: Session[]; next_cursor: string | null }>(
      api.GET('/api/sessions', { params: { query: { limit: 200, cursor: pageParam ?? undefined } }, signal }),
    ),
  initialPageParam: null as string | null,
  getNextPageParam: (last) => last.next_cursor,
});

export const messagesQuery = (sessionId: string) =>
  queryOptions({
    queryKey: ['sessions', 'messages', sessionId],
    queryFn: ({ signal }) =>
      every<Message>((cursor) =>
        unwrap(
          api.GET('/api/sessions/{session_id}/messages', {
            params: { path: { session_id: sessionId }, query: { limit: 200, cursor } },
            signal,
          }),
        ),
      ),
  });

export function createSession(): Promise<Session> {
  return unwrap(api.POST('/api/sessions', { body: { title: '' } as never }));
}

export async function deleteSession(id: string): Promise<void> {
  await unwrap(api.DELETE('/api/sessions/{session_id}', { params: { path: { session_id: id } } }));
  void queryClient.invalidateQueries({ queryKey: ['sessions', 'list'] });
}
