import type { ReactNode } from 'react';
import { Page } from '../../ui/page';
export function AgentPage(): ReactNode {
  return <Page title="AgentPage">{null}</Page>;
}
