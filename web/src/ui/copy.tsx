import { ActionIcon, Tooltip } from '@mantine/core';
import { useClipboard } from '@mantine/hooks';
import type { ReactNode } from 'react';
import { Icon } from './icons';

export function CopyButton({ text, label = 'Copy' }: { text: string; label?: string }): ReactNode {
  const { copied, copy } = useClipboard({ timeout: 1500 });
  return (
    <Tooltip label={copied ? 'Copied' : label}>
      <ActionIcon
        className="copy"
        variant="default"
        size="sm"
        aria-label={copied ? 'Copied' : label}
        onClick={() => copy(text)}
      >
        <Icon name={copied ? 'check' : 'copy'} size={14} />
      </ActionIcon>
    </Tooltip>
  );
}
