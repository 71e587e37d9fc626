// Pure: cuts Markdown into blocks that can be rendered one by one, so that a growing text renders only its last one.

const FENCE = /^ {0,3}(`{3,}|~{3,})/;

/** Returns the blocks; joined they are the text. A longer text has the same blocks, except for the last one. */
export function blocks(text: string): string[] {
  const found: string[] = [];
  let current = '';
  let fence: string | null = null;
  let afterBlank = false;
  for (const line of text.split(/(?<=\n)/)) {
    const mark = FENCE.exec(line)?.[1];
    const isBlank = line.trim() === '';
    // An indented line after a blank one goes on with the list item above it.
    const begins = fence === null && afterBlank && !isBlank && !/^(?: {2,}|\t)/.test(line);
    if (begins && current !== '') {
      found.push(current);
      current = '';
    }
    current += line;
    if (fence === null && mark) fence = mark;
    else if (fence !== null && mark && closes(fence, line)) fence = null;
    afterBlank = fence === null && (isBlank || (afterBlank && isBlank));
  }
  if (current !== '') found.push(current);
  return found;
}

function closes(fence: string, line: string): boolean {
  const mark = line.trim();
  return mark[0] === fence[0] && mark.length >= fence.length && mark === (mark[0] ?? '').repeat(mark.length);
}
