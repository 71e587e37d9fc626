// Files that a person attaches, as the API takes them.
import type { NewTask } from '../api/types';

type NewFile = NonNullable<NewTask['files']>[number];

const TYPES: Record<string, string> = {
  csv: 'text/csv',
  md: 'text/markdown',
  json: 'application/json',
  txt: 'text/plain',
};

export async function toNewFile(file: File): Promise<NewFile> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = '';
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  const ending = file.name.split('.').at(-1)?.toLowerCase() ?? '';
  return {
    name: file.name,
    media_type: file.type || TYPES[ending] || 'application/octet-stream',
    content: btoa(binary),
  };
}
