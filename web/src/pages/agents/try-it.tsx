// Sends one message straight to an agent, and shows everything that goes over the wire.
import { Button, Group, Select, Stack, Textarea } from '@mantine/core';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { API_URL, ProblemError, toProblem } from '../../api/client';
import type { Agent } from '../../api/types';
import { sseReader } from '../../live/sse';
import { keepDraft, useDraft } from '../../ui/drafts';
import { Problem } from '../../ui/feedback';
import { type Frame, Frames } from '../../ui/frames';
import { Icon } from '../../ui/icons';
import { Markdown } from '../../ui/markdown';
import { firstLine, plain } from '../../ui/text';
import classes from './agents.module.css';

interface End {
  state: string | null;
  text?: string;
  error?: { title: string; detail: string; status: number };
}

export function TryIt({ agent }: { agent: Agent }): ReactNode {
  const examples = agent.skills.flatMap((skill) => skill.examples.map((example) => ({ skill: skill.id, example })));
  const [skill, setSkill] = useState<string | null>(null);
  const draft = `try ${agent.id}`;
  const text = useDraft<string>(draft) ?? examples[0]?.example ?? '';
  const setText = (next: string): void => keepDraft(draft, next);
  const [frames, setFrames] = useState<readonly Frame[]>([]);
  const [end, setEnd] = useState<End | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [running, setRunning] = useState<AbortController | null>(null);
  const current = useRef<AbortController | null>(null);
  useEffect(() => () => current.current?.abort(), []);

  const send = async (): Promise<void> => {
    const abort = new AbortController();
    current.current = abort;
    setRunning(abort);
    setFrames([]);
    setEnd(null);
    setError(null);
    try {
      await converse(
        agent.id,
        { text, skill },
        abort.signal,
        (frame) => setFrames((before) => [...before, frame]),
        setEnd,
      );
    } catch (failure) {
      if (!abort.signal.aborted) setError(toProblem(failure));
    } finally {
      setRunning(null);
    }
  };
  return (
    <div className={classes.columns}>
      <Stack gap="sm">
        <Select
          label="Skill"
          placeholder="The agent decides"
          clearable
          data={agent.skills.map((each) => ({ value: each.id, label: firstLine(each.name || each.id, 80) }))}
          value={skill}
          onChange={setSkill}
        />
        <Textarea
          label="Message"
          autosize
          minRows={4}
          maxRows={16}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
        {examples.length > 0 && (
          <div className={classes.tags}>
            {examples.slice(0, 6).map(({ skill: of, example }) => (
              <button
                key={of + example}
                type="button"
                className={`tag ${classes.example}`}
                onClick={() => {
                  setText(example);
                  setSkill(of);
                }}
              >
                <span className="truncate">{firstLine(example, 60)}</span>
              </button>
            ))}
          </div>
        )}
        <Group>
          <Button loading={running !== null} disabled={!text.trim()} onClick={() => void send()}>
            Send
          </Button>
          {running && (
            <Button variant="default" leftSection={<Icon name="stop" size={14} />} onClick={() => running.abort()}>
              Cancel
            </Button>
          )}
        </Group>
        {error !== null && <Problem error={error} />}
        {end?.error && <Problem error={new ProblemError(end.error.status, end.error)} />}
        <div aria-live="polite">
          {end?.state && (
            <section aria-label="Answer">
              <h2 className="section-title">Answer, {plain(end.state)}</h2>
              <Markdown text={end.text ?? ''} />
            </section>
          )}
        </div>
      </Stack>
      <section aria-label="Traffic">
        <h2 className="section-title">Traffic</h2>
        {frames.length === 0 ? (
          <p className="dim">Every A2A message appears here as it goes over the wire.</p>
        ) : (
          <Frames frames={frames} />
        )}
      </section>
    </div>
  );
}

async function converse(
  agentId: string,
  message: { text: string; skill: string | null },
  signal: AbortSignal,
  onFrame: (frame: Frame) => void,
  onEnd: (end: End) => void,
): Promise<void> {
  const response = await fetch(`${API_URL}/api/agents/${encodeURIComponent(agentId)}/try`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
    body: JSON.stringify(message),
    signal,
  });
  if (!response.ok || !response.body) {
    throw new ProblemError(response.status, (await response.json().catch(() => ({}))) as object);
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const read = sseReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    for (const { event, data } of read(next.value)) {
      if (event === 'frame') onFrame(JSON.parse(data) as Frame);
      if (event === 'end') onEnd(JSON.parse(data) as End);
    }
  }
}
