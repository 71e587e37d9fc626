// Pure: reads server-sent events from pieces of text, for where a WebSocket cannot be had.

export interface SseMessage {
  id: string;
  event: string;
  data: string;
}

/** Returns a function that takes the next piece of text and answers the events that are complete by now. */
export function sseReader(): (piece: string) => SseMessage[] {
  let rest = '';
  return (piece) => {
    const text = rest + piece;
    const half = text.endsWith('\r') ? '\r' : ''; // perhaps one half of a line's end
    const blocks = text
      .slice(0, text.length - half.length)
      .replace(/\r\n?/g, '\n')
      .split('\n\n');
    rest = (blocks.pop() ?? '') + half;
    return blocks.map(parse).filter((message) => message.data !== '');
  };
}

function parse(block: string): SseMessage {
  const message: SseMessage = { id: '', event: 'message', data: '' };
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const value = line.slice(colon + 1).replace(/^ /, '');
    switch (line.slice(0, colon)) {
      case 'id':
        message.id = value;
        break;
      case 'event':
        message.event = value;
        break;
      case 'data':
        message.data = message.data ? `${message.data}\n${value}` : value;
        break;
      default:
    }
  }
  return message;
}
