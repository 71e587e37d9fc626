// Sessions and what was said in them.
import { queryOptions } from '@tanstack/react-query';
import { api, every, unwrap } from './client';
import { queryClient } from './query';
import type { Message, Session } from './types';

export const sessionsQuery = queryOptions({
  queryKey: ['sessions', 'list'],
  queryFn: ({ signal }) =>
    unwrap<{ items: Session[] }>(api.GET('/api/sessions', { params: { query: { limit: 200 } }, signal })),
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
