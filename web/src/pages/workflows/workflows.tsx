import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { Empty } from '../../ui/feedback';
import { Page } from '../../ui/page';

export function Workflows(): ReactNode {
  return (
    <Page title="Workflows">
      <Empty icon="workflows" title="This orchestrator has no stored workflows">
        <p>
          A plan that was run can be run again, wholly or from a step: open it under <Link to="/tasks">Tasks</Link>.
        </p>
      </Empty>
    </Page>
  );
}
