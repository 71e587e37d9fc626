// What was begun to be written and not sent, kept for this tab.
import { useSyncExternalStore } from 'react';

const STORED = 'af-draft ';
const drafts = new Map<string, unknown>();
const NO_FILES: readonly File[] = [];
const watchers = new Set<() => void>();

/** The draft of that name; undefined: there is none. It stays the same object until it is changed. */
export function draftOf<T>(name: string): T | undefined {
  if (!drafts.has(name)) {
    const stored = sessionStorage.getItem(STORED + name);
    drafts.set(name, stored === null ? undefined : JSON.parse(stored));
  }
  return drafts.get(name) as T | undefined;
}

/** Keeps a draft, until the page is loaded again if it is not to be stored; undefined forgets it. */
export function keepDraft<T>(name: string, draft: T | undefined, isStored = true): void {
  drafts.set(name, draft);
  try {
    if (draft === undefined || !isStored) sessionStorage.removeItem(STORED + name);
    else sessionStorage.setItem(STORED + name, JSON.stringify(draft));
  } catch {
    // too long for the browser: it is kept until the page is loaded again
  }
  for (const tell of watchers) tell();
}

/** The name of the draft that answers the question with that `input_id`. */
export function answerTo(inputId: string): string {
  return `answer ${inputId}`;
}

/** The files of a draft. They are kept until the page is loaded again: the browser stores texts only. */
export function filesOf(name: string): readonly File[] {
  return draftOf<readonly File[]>(filesName(name)) ?? NO_FILES;
}

export function keepFiles(name: string, files: readonly File[]): void {
  keepDraft(filesName(name), files.length > 0 ? files : undefined, false);
}

export function useFiles(name: string): readonly File[] {
  return useSyncExternalStore(watch, () => filesOf(name));
}

export function useDraft<T>(name: string): T | undefined {
  return useSyncExternalStore(watch, () => draftOf<T>(name));
}

function filesName(name: string): string {
  return `files of ${name}`;
}

function watch(tell: () => void): () => void {
  watchers.add(tell);
  return () => watchers.delete(tell);
}
