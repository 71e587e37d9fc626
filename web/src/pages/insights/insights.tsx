import type { ReactNode } from 'react';
import { Page } from '../../ui/page';
export function Insights(): ReactNode {
  return <Page title="Insights">{null}</Page>;
}
