// Rows and columns as a table that scrolls.
import { Table } from '@mantine/core';
import type { ComponentProps, ReactNode } from 'react';
import { plain } from './text';

interface Props {
  columns: readonly string[];
  rows: readonly (readonly string[])[];
  /** How many there are in all, as far as that is known. */
  total: number;
  name: string;
}

export function Records({ columns, rows, total, name }: Props): ReactNode {
  return (
    <Table.ScrollContainer minWidth={0} maxHeight={420} scrollAreaProps={{ viewportProps: scrolledByKeys(name) }}>
      <Table withTableBorder withColumnBorders fz="sm" verticalSpacing={4}>
        <Table.Thead>
          <Table.Tr>
            {columns.map((cell, place) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: columns have no other name that is unique
              <Table.Th key={place}>{plain(cell)}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row, line) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows have no other name that is unique
            <Table.Tr key={line}>
              {row.map((cell, place) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: see above
                <Table.Td key={place}>{plain(cell)}</Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {rows.length < total && <p className="dim small">The first {rows.length} rows; download it for all.</p>}
    </Table.ScrollContainer>
  );
}

/** Makes what scrolls a place that keys go to. */
export function scrolledByKeys(name: string): ComponentProps<'div'> {
  return { tabIndex: 0, role: 'region', 'aria-label': `${plain(name)}, table` };
}
