// Where one writes: Enter sends, Shift Enter makes a line, @ at the beginning names an agent.
import { ActionIcon, Textarea } from '@mantine/core';
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react';
import type { Agent } from '../../api/types';
import { AttachButton, Attached } from '../../ui/attach';
import { keepDraft, keepFiles, useDraft, useFiles } from '../../ui/drafts';
import { Icon } from '../../ui/icons';
import { firstLine } from '../../ui/text';
import classes from './chat.module.css';
import { typedName } from './turns';

interface Props {
  /** The name of the draft that is written here; whoever sends it takes it away. */
  draft: string;
  agents: readonly Agent[];
  busy: boolean;
  onSend: (text: string, files: readonly File[]) => void;
}

export function ChatComposer({ draft, agents, busy, onSend }: Props): ReactNode {
  const text = useDraft<string>(draft) ?? '';
  const setText = (next: string): void => keepDraft(draft, next || undefined);
  const files = useFiles(draft);
  const setFiles = (next: readonly File[]): void => keepFiles(draft, next);
  const [place, setPlace] = useState(0);
  const list = useId();
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    const end = field.current?.value.length ?? 0;
    field.current?.setSelectionRange(end, end);
  }, []);
  const typed = typedName(text);
  const named =
    typed === null
      ? []
      : agents
          .filter(({ name }) => name.toLowerCase().includes(typed) && name.toLowerCase() !== typed.trimEnd())
          .slice(0, 8);
  const pick = (agent: Agent | undefined): void => {
    if (agent) setText(`@${agent.name} `);
    setPlace(0);
  };
  const send = (): void => {
    if (text.trim() && !busy) onSend(text, files);
  };
  const onKey = (event: KeyboardEvent): void => {
    if (named.length > 0) {
      const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
      if (step !== 0) {
        event.preventDefault();
        setPlace((place + step + named.length) % named.length);
        return;
      }
      if (event.key === 'Tab' || event.key === 'Enter') {
        event.preventDefault();
        pick(named[Math.min(place, named.length - 1)]);
        return;
      }
      if (event.key === 'Escape') setText(text.trimStart().slice(1));
    }
    if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      send();
    }
  };
  return (
    <div className={`card ${classes.composer}`}>
      {named.length > 0 && (
        <div role="listbox" id={list} aria-label="Agents" className={`card ${classes.names}`}>
          {named.map((agent, index) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are taken by the field that owns this list
            <div
              key={agent.id}
              id={`${list}-${index}`}
              role="option"
              tabIndex={-1}
              aria-selected={index === place}
              className={classes.name}
              onClick={() => pick(agent)}
            >
              <bdi>{firstLine(agent.name, 60)}</bdi>
              <span className="dim small truncate">{firstLine(agent.description, 80)}</span>
            </div>
          ))}
        </div>
      )}
      <Attached files={files} onChange={setFiles} />
      <div className={classes.composerRow}>
        <AttachButton files={files} onChange={setFiles} />
        <Textarea
          ref={field}
          autoFocus
          variant="unstyled"
          aria-label="Message"
          placeholder="Message"
          autosize
          minRows={1}
          maxRows={10}
          style={{ flex: 1 }}
          value={text}
          aria-controls={named.length > 0 ? list : undefined}
          aria-activedescendant={named.length > 0 ? `${list}-${place}` : undefined}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={onKey}
        />
        <ActionIcon size="lg" aria-label="Send" loading={busy} disabled={!text.trim()} onClick={send}>
          <Icon name="send" />
        </ActionIcon>
      </div>
    </div>
  );
}
