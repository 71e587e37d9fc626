import { ActionIcon, Tooltip } from '@mantine/core';
import { type ReactNode, useEffect, useState } from 'react';
import { Icon } from './icons';

const SHOWN_MS = 1500;

export function CopyButton({ text, label = 'Copy' }: { text: string; label?: string }): ReactNode {
  const [done, setDone] = useState<boolean | null>(null);
  useEffect(() => {
    if (done === null) return;
    const timer = setTimeout(() => setDone(null), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [done]);
  const said = done === null ? label : done ? 'Copied' : 'It could not be copied';
  return (
    <Tooltip label={said}>
      <ActionIcon
        className="copy"
        variant="default"
        size="sm"
        aria-label={said}
        onClick={async () => setDone(await copy(text))}
      >
        <Icon name={done === null ? 'copy' : done ? 'check' : 'warning'} size={14} />
      </ActionIcon>
    </Tooltip>
  );
}

/** Copies a text and returns whether it did. Over plain HTTP browsers have only their old command for it. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyByCommand(text);
  }
}

function copyByCommand(text: string): boolean {
  const put = (event: ClipboardEvent): void => {
    event.clipboardData?.setData('text/plain', text);
    event.preventDefault();
  };
  document.addEventListener('copy', put);
  const isDone = document.execCommand('copy');
  document.removeEventListener('copy', put);
  return isDone;
}
