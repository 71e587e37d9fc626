// Files that a person attaches, as the API takes them.
import { API_URL, ProblemError } from '../api/client';
import type { FileOfTask, NewTask } from '../api/types';

type NewFile = NonNullable<NewTask['files']>[number];

/** Types by endings: a browser asks its system for them, which may name the program that opens such a file. */
const TYPES = new Map([
  ['csv', 'text/csv'],
  ['tsv', 'text/tab-separated-values'],
  ['xlsx', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'],
  ['md', 'text/markdown'],
  ['json', 'application/json'],
  ['txt', 'text/plain'],
]);

export async function toNewFile(file: File): Promise<NewFile> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = '';
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  const ending = file.name.split('.').at(-1)?.toLowerCase() ?? '';
  return {
    name: file.name,
    media_type: TYPES.get(ending) ?? (file.type || 'application/octet-stream'),
    content: btoa(binary),
  };
}

/** A file that came with a task, to come with another one. */
export async function sentAgain(file: FileOfTask): Promise<NewFile> {
  const response = await fetch(API_URL + file.url);
  if (!response.ok) throw new ProblemError(response.status, {});
  const kept = await toNewFile(new File([await response.blob()], file.name));
  return { ...kept, media_type: file.media_type };
}
