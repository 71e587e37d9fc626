import { expect, it } from 'vitest';
import { sseReader } from './sse';

const TEXT =
  'id: 1\nevent: task.status\ndata: {"a": 1}\n\n: keep-alive\n\nid: 2\r\nevent: usage\r\ndata: x\r\ndata: y\r\n\r\n';
const EXPECTED = [
  { id: '1', event: 'task.status', data: '{"a": 1}' },
  { id: '2', event: 'usage', data: 'x\ny' },
];

it('reads events, whatever pieces they come in', () => {
  for (let size = 1; size <= TEXT.length; size += 1) {
    const read = sseReader();
    const found = [];
    for (let at = 0; at < TEXT.length; at += size) found.push(...read(TEXT.slice(at, at + size)));
    expect(found).toEqual(EXPECTED);
  }
});
