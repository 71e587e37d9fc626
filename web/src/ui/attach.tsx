// Choosing files to send along.
import { ActionIcon, FileButton, Tooltip } from '@mantine/core';
import { type ReactNode, useRef } from 'react';
import { Icon } from './icons';
import { plain, size } from './text';

interface Props {
  files: readonly File[];
  onChange: (files: readonly File[]) => void;
}

export function AttachButton({ files, onChange }: Props): ReactNode {
  const forget = useRef<() => void>(null);
  const attach = (chosen: File[]): void => {
    onChange([...files, ...chosen]);
    forget.current?.(); // a file that is taken away and chosen again is news
  };
  return (
    <FileButton multiple resetRef={forget} onChange={attach}>
      {(props) => (
        <Tooltip label="Attach files">
          <ActionIcon variant="subtle" color="gray" size="lg" aria-label="Attach files" {...props}>
            <Icon name="clip" />
          </ActionIcon>
        </Tooltip>
      )}
    </FileButton>
  );
}

export function Attached({ files, onChange }: Props): ReactNode {
  if (files.length === 0) return null;
  return (
    <ul style={{ display: 'flex', flexWrap: 'wrap', gap: 6, margin: 0, padding: 0, listStyle: 'none' }}>
      {files.map((file) => (
        <li key={`${file.name} ${file.size} ${file.lastModified}`} className="tag" style={{ gap: 6 }}>
          <span className="truncate" style={{ maxWidth: 220 }}>
            {plain(file.name)}
          </span>
          {size(file.size)}
          <button
            type="button"
            className="plain-button"
            aria-label={`Remove ${plain(file.name)}`}
            onClick={() => onChange(files.filter((each) => each !== file))}
          >
            <Icon name="cross" size={11} />
          </button>
        </li>
      ))}
    </ul>
  );
}
