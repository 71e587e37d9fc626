// Holds the folded state of a task that is on the screen, updated once per animation frame.
import { useCallback, useEffect, useSyncExternalStore } from 'react';
import type { Task, TaskEvent, TaskStatus } from '../api/types';
import { Connection, type ConnectionState } from './connection';
import { EMPTY, fold, hasGap, isOver, type TaskState } from './fold';

export const connection = new Connection();

export class TaskStore {
  state: TaskState = EMPTY;
  refused: string | null = null;
  private readonly listeners = new Set<() => void>();
  private waiting: TaskEvent[] = [];
  private frame = 0;
  private stop: (() => void) | null = null;

  constructor(readonly taskId: string) {}

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    this.stop ??= connection.follow(this.taskId, {
      after: () => this.waiting.at(-1)?.seq ?? this.state.seq,
      onEvents: (events) => this.take(events),
      onEnd: () => this.flush(),
      isOver: () => isOver(this.state.status),
      onRefused: (detail) => {
        this.refused = detail;
        this.tell();
      },
    });
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) setTimeout(() => this.close());
    };
  };

  private close(): void {
    if (this.listeners.size > 0) return;
    this.stop?.();
    this.stop = null;
    if (stores.get(this.taskId) === this) stores.delete(this.taskId);
  }

  private take(events: TaskEvent[]): void {
    this.waiting.push(...events);
    // A tab in the background has no frames: what comes is folded when it is looked at again, or now and then.
    if (this.frame === 0) {
      this.frame = document.hidden
        ? window.setTimeout(() => this.flush(), 500)
        : window.requestAnimationFrame(() => this.flush());
    }
  }

  private flush(): void {
    this.frame = 0;
    const events = this.waiting;
    this.waiting = [];
    if (hasGap(this.state, events)) {
      connection.resume(this.taskId);
      return;
    }
    const next = fold(this.state, events);
    if (next === this.state) return;
    this.state = next;
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}

const stores = new Map<string, TaskStore>();

export function storeOf(taskId: string): TaskStore {
  let store = stores.get(taskId);
  if (!store) {
    store = new TaskStore(taskId);
    stores.set(taskId, store);
  }
  return store;
}

/** Returns a part of a task's live state; the component renders again only when that part is another object. */
export function useLive<T>(taskId: string, part: (state: TaskState) => T): T {
  const store = storeOf(taskId);
  return useSyncExternalStore(
    store.subscribe,
    useCallback(() => part(store.state), [store, part]),
  );
}

/** Returns a task's status. What is stored as over stays so, and what is stored holds until the log is read. */
export function useStatus(task: Task): TaskStatus {
  const live = useLive(task.id, toldStatusOf);
  return isOver(task.status) ? task.status : (live ?? task.status);
}

function toldStatusOf(state: TaskState): TaskStatus | null {
  return state.seq === 0 ? null : state.status;
}

export function useRefusal(taskId: string): string | null {
  const store = storeOf(taskId);
  return useSyncExternalStore(store.subscribe, () => store.refused);
}

export function useConnection(): ConnectionState {
  return useSyncExternalStore(connection.subscribe, () => connection.state);
}

/** Calls `listener` whenever lists of tasks and questions should be read again. */
export function useWatch(listener: () => void): void {
  useEffect(() => connection.watch(listener), [listener]);
}
