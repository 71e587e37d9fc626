// One WebSocket per tab: follows the logs of tasks, resumes after a loss where it stopped, and falls back to SSE.
import { API_URL } from '../api/client';
import type { TaskEvent } from '../api/types';
import { sseReader } from './sse';

export type ConnectionState = 'connecting' | 'open' | 'lost';

export interface Follower {
  /** The number of the last event it has: where to go on after a loss. */
  after(): number;
  onEvents(events: TaskEvent[]): void;
  onEnd(): void;
  /** Whether the task is over, as far as the events tell that it has. */
  isOver(): boolean;
  onRefused(detail: string): void;
}

const SILENCE_MS = 40_000;
const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 10_000;
const TRIES_BEFORE_SSE = 3;
const POLL_MS = 5_000;

interface ServerMessage {
  type: 'hello' | 'events' | 'end' | 'refused' | 'changed' | 'heartbeat';
  task_id?: string;
  events?: TaskEvent[];
  problem?: { detail?: string };
}

export class Connection {
  private socket: WebSocket | null = null;
  private readonly followers = new Map<string, Follower>();
  private readonly watchers = new Set<() => void>();
  private readonly listeners = new Set<() => void>();
  private readonly streams = new Map<string, AbortController>();
  private current: ConnectionState = 'connecting';
  private failures = 0;
  /** How often in a row it failed though the orchestrator answers otherwise. */
  private blocked = 0;
  private isGreeted = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private polling: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly url: string = socketUrl()) {
    window.addEventListener('online', () => this.retryNow());
    window.addEventListener('pagehide', () => this.socket?.close());
    window.addEventListener('pageshow', (event) => event.persisted && this.retryNow());
  }

  get state(): ConnectionState {
    return this.current;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Follows a task's log until the returned function is called. */
  follow(taskId: string, follower: Follower): () => void {
    this.followers.set(taskId, follower);
    this.begin(taskId, follower);
    return () => {
      if (this.followers.get(taskId) !== follower) return;
      this.followers.delete(taskId);
      this.streams.get(taskId)?.abort();
      this.send({ type: 'unsubscribe', task_id: taskId });
    };
  }

  /** Calls `listener` when lists of tasks and questions should be read again. */
  watch(listener: () => void): () => void {
    this.watchers.add(listener);
    if (this.watchers.size === 1) this.send({ type: 'watch', topic: 'tasks' });
    this.connect();
    return () => {
      this.watchers.delete(listener);
      if (this.watchers.size === 0) this.send({ type: 'unwatch', topic: 'tasks' });
    };
  }

  /** Asks for a follower's log again from where it is: something was missing. */
  resume(taskId: string): void {
    const follower = this.followers.get(taskId);
    if (follower) this.begin(taskId, follower);
  }

  retryNow(): void {
    if (this.socket?.readyState === WebSocket.OPEN) return;
    this.failures = 0;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.connect();
  }

  private begin(taskId: string, follower: Follower): void {
    if (this.polling) {
      this.stream(taskId, follower);
    } else if (!this.send({ type: 'subscribe', task_id: taskId, after: follower.after() })) {
      this.connect();
    }
  }

  private connect(): void {
    if (this.socket || this.timer || this.polling) return;
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onopen = () => this.heard();
    socket.onmessage = (message) => {
      this.heard();
      this.receive(JSON.parse(message.data as string) as ServerMessage);
    };
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.socket = null;
      this.isGreeted = false;
      clearTimeout(this.silence);
      this.failures += 1;
      this.become('lost');
      this.again();
    };
  }

  private again(): void {
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.failures - 1));
    this.timer = setTimeout(
      async () => {
        this.blocked = (await answersHttp()) ? this.blocked + 1 : 0;
        this.timer = undefined;
        if (this.blocked >= TRIES_BEFORE_SSE) this.fallBack();
        else this.connect();
      },
      longest * (0.7 + Math.random() * 0.3),
    );
  }

  private receive(message: ServerMessage): void {
    if (message.type === 'hello') {
      this.greeted();
      return;
    }
    if (message.type === 'changed') {
      this.tellWatchers();
      return;
    }
    const follower = message.task_id === undefined ? undefined : this.followers.get(message.task_id);
    if (!follower) return;
    if (message.type === 'events') follower.onEvents(message.events ?? []);
    else if (message.type === 'end') follower.onEnd();
    else if (message.type === 'refused') follower.onRefused(message.problem?.detail ?? 'The log cannot be read.');
  }

  /** The connection stands all the way: a proxy that only opens it does not count. */
  private greeted(): void {
    this.failures = 0;
    this.blocked = 0;
    this.isGreeted = true;
    this.become('open');
    if (this.watchers.size) {
      this.send({ type: 'watch', topic: 'tasks' });
      this.tellWatchers();
    }
    for (const [taskId, follower] of this.followers) this.begin(taskId, follower);
  }

  /** Something came: if nothing more does for a while, not even a heartbeat, the connection is dead. */
  private heard(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.socket?.close(), SILENCE_MS);
  }

  /** Where WebSockets are blocked on the way: a stream for each task, and lists are read now and then. */
  private fallBack(): void {
    this.become('open');
    this.polling = setInterval(() => this.tellWatchers(), POLL_MS);
    this.tellWatchers();
    for (const [taskId, follower] of this.followers) this.stream(taskId, follower);
  }

  private async stream(taskId: string, follower: Follower): Promise<void> {
    this.streams.get(taskId)?.abort();
    const abort = new AbortController();
    this.streams.set(taskId, abort);
    for (let pause = FIRST_PAUSE_MS; !abort.signal.aborted; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        const url = `${API_URL}/api/tasks/${encodeURIComponent(taskId)}/events?after=${follower.after()}`;
        const response = await fetch(url, { signal: abort.signal, headers: { Accept: 'text/event-stream' } });
        if (response.status === 404) {
          follower.onRefused('There is no such task.');
          return;
        }
        const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
        const read = sseReader();
        this.become('open');
        for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
          pause = FIRST_PAUSE_MS;
          follower.onEvents(read(next.value).map((message) => JSON.parse(message.data) as TaskEvent));
        }
        if (response.ok) follower.onEnd();
        // A stream that ends before the task does was cut off: the orchestrator stops, for one.
        if (follower.isOver()) return;
      } catch {
        if (abort.signal.aborted) return;
        this.become('lost');
      }
      await new Promise((resume) => setTimeout(resume, pause));
    }
  }

  private tellWatchers(): void {
    for (const watcher of this.watchers) watcher();
  }

  private send(message: object): boolean {
    if (!this.isGreeted || this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  private become(state: ConnectionState): void {
    if (this.current === state) return;
    this.current = state;
    for (const listener of this.listeners) listener();
  }
}

async function answersHttp(): Promise<boolean> {
  try {
    return (await fetch(`${API_URL}/health`)).ok;
  } catch {
    return false;
  }
}

function socketUrl(): string {
  const base = new URL(API_URL || window.location.href);
  return `${base.protocol === 'https:' ? 'wss' : 'ws'}://${base.host}/api/events/ws`;
}
