import { describe, expect, it } from 'vitest';
import { blocks } from './markdown-blocks';

const TEXT = `# Title

A paragraph
of two lines.

- one

  still one
- two

\`\`\`python
a = 1

b = 2
\`\`\`

| a | b |
| - | - |
| 1 | 2 |

~~~~
\`\`\`

~~~
~~~~

The end.`;

describe('blocks', () => {
  it('are the text when they are joined', () => {
    for (let end = 0; end <= TEXT.length; end += 1) {
      const text = TEXT.slice(0, end);
      expect(blocks(text).join('')).toBe(text);
    }
  });

  it('keep code, lists and tables whole', () => {
    expect(blocks(TEXT).map((block) => block.trim().split('\n')[0])).toEqual([
      '# Title',
      'A paragraph',
      '- one',
      '```python',
      '| a | b |',
      '~~~~',
      'The end.',
    ]);
  });

  it('stay the same, except for the last one, while the text grows', () => {
    for (let end = 1; end <= TEXT.length; end += 1) {
      const before = blocks(TEXT.slice(0, end - 1));
      const after = blocks(TEXT.slice(0, end));
      expect(after.slice(0, before.length - 1)).toEqual(before.slice(0, -1));
    }
  });
});
