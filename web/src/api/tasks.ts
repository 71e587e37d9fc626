// Tasks: read, submitted, changed.
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, toProblem, unwrap } from './client';
import { queryClient } from './query';
import type { NewAnswer, NewTask, OpenQuestion, Task, TaskStatus } from './types';

export interface TaskFilters {
  status?: readonly TaskStatus[] | undefined;
  q?: string | undefined;
  agent?: string | undefined;
  session_id?: string | undefined;
}

interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export const tasksQuery = (filters: TaskFilters, limit = 100) =>
  infiniteQueryOptions({
    queryKey: ['tasks', 'list', filters, limit],
    queryFn: ({ pageParam, signal }) =>
      unwrap<Page<Task>>(
        api.GET('/api/tasks', {
          params: {
            query: { ...filters, status: filters.status && [...filters.status], limit, cursor: pageParam ?? undefined },
          },
          signal,
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor,
  });

export const taskQuery = (id: string) =>
  queryOptions({
    queryKey: ['tasks', 'one', id],
    queryFn: ({ signal }) =>
      unwrap<Task>(api.GET('/api/tasks/{task_id}', { params: { path: { task_id: id } }, signal })),
  });

export const questionsQuery = queryOptions({
  queryKey: ['questions'],
  queryFn: ({ signal }) =>
    unwrap<Page<OpenQuestion>>(api.GET('/api/inputs', { params: { query: { limit: 200 } }, signal })),
});

let isRefreshing = false;
let isAsked = false;

/** Reads the lists again. Asked for while they are read, it is done once more afterwards: else they might never end. */
export async function refreshLists(): Promise<void> {
  isAsked = true;
  if (isRefreshing) return;
  isRefreshing = true;
  while (isAsked) {
    isAsked = false;
    await Promise.all([
      queryClient.invalidateQueries({ queryKey: ['tasks', 'list'] }),
      queryClient.invalidateQueries({ queryKey: ['questions'] }),
    ]);
  }
  isRefreshing = false;
}

export function submitTask(task: NewTask): Promise<Task> {
  return once(task, (key) =>
    unwrap(api.POST('/api/tasks', { body: task, params: { header: { 'idempotency-key': key } } })),
  );
}

export function cancelTask(id: string): Promise<Task> {
  return unwrap(api.POST('/api/tasks/{task_id}/cancel', { params: { path: { task_id: id } } }));
}

export function retryTask(id: string): Promise<Task> {
  return once({ retry: id }, (key) =>
    unwrap(
      api.POST('/api/tasks/{task_id}/retry', {
        params: { path: { task_id: id }, header: { 'idempotency-key': key } },
      }),
    ),
  );
}

export function forkTask(id: string, fromStep: string, instruction: string | null): Promise<Task> {
  const body = { from_step: fromStep, instruction };
  return once({ fork: id, ...body }, (key) =>
    unwrap(
      api.POST('/api/tasks/{task_id}/fork', {
        params: { path: { task_id: id }, header: { 'idempotency-key': key } },
        body,
      }),
    ),
  );
}

export function answerQuestion(taskId: string, answer: NewAnswer): Promise<Task> {
  return unwrap(api.POST('/api/tasks/{task_id}/input', { params: { path: { task_id: taskId } }, body: answer }));
}

const unsure = new Map<string, string>();

/** Sends with the same `Idempotency-Key` what was sent before and may have been accepted: its answer was lost. */
async function once<T>(request: object, send: (key: string) => Promise<T>): Promise<T> {
  const name = JSON.stringify(request);
  const before = unsure.get(name);
  const key = before ?? freshKey();
  unsure.set(name, key);
  try {
    const accepted = await send(key);
    unsure.delete(name);
    return accepted;
  } catch (error) {
    const { status } = toProblem(error);
    if (before === undefined && status >= 400 && status < 500) unsure.delete(name);
    throw error;
  }
}

function freshKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
