// Pure: what was said, put together as turns: a person's words, and the task and the answer that came of them.
import type { Message, Task } from '../../api/types';

export interface Turn {
  key: string;
  asked: Message | null;
  answered: Message | null;
  taskId: string | null;
}

export function turnsOf(messages: readonly Message[], tasks: readonly Task[]): Turn[] {
  const turns: Turn[] = [];
  const byTask = new Map<string, Turn>();
  for (const message of messages) {
    const known = message.task_id === null ? undefined : byTask.get(message.task_id);
    if (message.role !== 'user' && known && known.answered === null) {
      known.answered = message;
      continue;
    }
    const turn: Turn = {
      key: message.id,
      asked: message.role === 'user' ? message : null,
      answered: message.role === 'user' ? null : message,
      taskId: message.task_id,
    };
    turns.push(turn);
    if (message.task_id !== null) byTask.set(message.task_id, turn);
  }
  // A task that was just submitted may be known before its message is read.
  const missing = tasks.filter((task) => !byTask.has(task.id));
  for (const task of missing.reverse()) turns.push({ key: task.id, asked: null, answered: null, taskId: task.id });
  return turns;
}

export interface Addressed {
  agentId: string | null;
  text: string;
}

/** Reads `@Name` at the beginning: the agent with the longest name that stands there, and the rest. */
export function addressed(text: string, agents: readonly { id: string; name: string }[]): Addressed {
  const trimmed = text.trimStart();
  if (!trimmed.startsWith('@')) return { agentId: null, text };
  const said = trimmed.slice(1).toLowerCase();
  const named = agents
    .filter(({ name }) => said.startsWith(name.toLowerCase()) && /^(\s|$|[,:])/.test(said.slice(name.length)))
    .sort((one, other) => other.name.length - one.name.length)[0];
  if (!named) return { agentId: null, text };
  return { agentId: named.id, text: trimmed.slice(1 + named.name.length).replace(/^[\s,:]+/, '') };
}

/** The part of a name that is being typed after `@` at the beginning; null where none is. */
export function typedName(text: string): string | null {
  const found = /^\s*@([^\n]{0,80})$/.exec(text);
  return found ? (found[1] as string).toLowerCase() : null;
}

/** What stands in the field and was not sent: it was typed while what was sent was under way. */
export function unsent(now: string, sent: string): string {
  return now.startsWith(sent) ? now.slice(sent.length).trimStart() : now;
}
