// The one way to the API: typed calls, and one kind of error that has a sentence for people.
import createClient from 'openapi-fetch';
import type { paths } from './schema';

/** Where the API is: the same origin, unless the build says otherwise. */
export const API_URL: string = (import.meta.env.VITE_API_URL ?? '').replace(/\/$/, '');

const TIMEOUT_MS = 60_000;

export interface FieldError {
  pointer: string;
  detail: string;
}

interface Problem {
  type?: string;
  title?: string;
  detail?: string;
  errors?: FieldError[];
  findings?: unknown;
}

/** A failed request (RFC 9457). `status` 0: the orchestrator could not be reached at all. */
export class ProblemError extends Error {
  readonly title: string;
  readonly errors: FieldError[];
  readonly slug: string;

  constructor(
    readonly status: number,
    readonly problem: Problem,
    readonly retryAfterS: number | null = null,
  ) {
    super(problem.detail || sentence(status));
    this.name = 'ProblemError';
    this.title = problem.title || titleOf(status);
    this.errors = Array.isArray(problem.errors) ? problem.errors : [];
    this.slug = problem.type?.split(':').at(-1) ?? '';
  }
}

export function toProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return new ProblemError(0, { title: 'No answer in time', detail: 'The orchestrator did not answer in time.' });
  }
  if (error instanceof TypeError) return new ProblemError(0, {});
  return new ProblemError(-1, { title: 'Something went wrong here', detail: String(error) });
}

async function fetchOrProblem(request: Request): Promise<Response> {
  try {
    return await fetch(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MS)]) });
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw toProblem(error);
  }
}

export const api = createClient<paths>({ baseUrl: API_URL || window.location.origin, fetch: fetchOrProblem });

/** Returns the data of a call. Throws a ProblemError for every answer that is not a success. */
export async function unwrap<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call;
  if (response.ok) return data as T;
  const wait = Number(response.headers.get('Retry-After'));
  const problem = typeof error === 'object' && error !== null ? (error as Problem) : {};
  throw new ProblemError(response.status, problem, Number.isFinite(wait) && wait > 0 ? wait : null);
}

/** Returns the items of all pages of a list. */
export async function every<T>(
  read: (cursor: string | null) => Promise<{ items: T[]; next_cursor: string | null }>,
): Promise<T[]> {
  const all: T[] = [];
  let cursor: string | null = null;
  do {
    const page = await read(cursor);
    all.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return all;
}

function titleOf(status: number): string {
  switch (status) {
    case 0:
      return 'The orchestrator cannot be reached';
    case 401:
      return 'You are not signed in';
    case 403:
      return 'This is not allowed';
    case 404:
      return 'There is no such thing';
    case 429:
      return 'Too many requests';
    default:
      return status >= 500 ? 'The orchestrator failed' : 'The request was refused';
  }
}

function sentence(status: number): string {
  switch (status) {
    case 0:
      return 'Check that it runs (`make run`) and that this machine is online.';
    case 401:
      return 'Sign in, or give the key that this orchestrator asks for.';
    case 429:
      return 'Wait a moment, then try again.';
    default:
      return `It answered with HTTP ${status} and gave no reason.`;
  }
}
