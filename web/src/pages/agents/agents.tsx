import type { ReactNode } from 'react';
import { Page } from '../../ui/page';
export function Agents(): ReactNode {
  return <Page title="Agents">{null}</Page>;
}
