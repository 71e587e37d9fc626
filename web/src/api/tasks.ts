// Tasks: read, submitted, changed.
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { queryClient } from './query';
import type { NewAnswer, NewTask, OpenQuestion, Task, TaskStatus } from './types';

export interface TaskFilters {
  status?: TaskStatus | undefined;
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
        api.GET('/api/tasks', { params: { query: { ...filters, limit, cursor: pageParam ?? undefined } }, signal }),
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

export function refreshLists(): void {
  void queryClient.invalidateQueries({ queryKey: ['tasks', 'list'] });
  void queryClient.invalidateQueries({ queryKey: ['questions'] });
}

export function submitTask(task: NewTask, key: string): Promise<Task> {
  return unwrap(api.POST('/api/tasks', { body: task, params: { header: { 'idempotency-key': key } } }));
}

export function cancelTask(id: string): Promise<Task> {
  return unwrap(api.POST('/api/tasks/{task_id}/cancel', { params: { path: { task_id: id } } }));
}

export function retryTask(id: string, key: string): Promise<Task> {
  return unwrap(
    api.POST('/api/tasks/{task_id}/retry', {
      params: { path: { task_id: id }, header: { 'idempotency-key': key } },
    }),
  );
}

export function forkTask(id: string, fromStep: string, instruction: string | null, key: string): Promise<Task> {
  return unwrap(
    api.POST('/api/tasks/{task_id}/fork', {
      params: { path: { task_id: id }, header: { 'idempotency-key': key } },
      body: { from_step: fromStep, instruction },
    }),
  );
}

export function answerQuestion(taskId: string, answer: NewAnswer): Promise<Task> {
  return unwrap(api.POST('/api/tasks/{task_id}/input', { params: { path: { task_id: taskId } }, body: answer }));
}
