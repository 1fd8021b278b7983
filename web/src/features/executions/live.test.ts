import { expect, it } from 'vitest';
import type { Execution } from '@/lib/api/models';
import { told } from './live';

const row = {
    id: 'a',
    status: 'running',
    startTime: '2026-01-01T00:00:00.000Z',
    duration: null,
} as Execution;
const update = (status: string) => ({
    type: 'execution_update' as const,
    executionId: 'a',
    status,
    recordsProcessed: 3,
    timestamp: '2026-01-01T00:00:01.500Z',
});

it('a row ends with its time and records', () => {
    expect(told(row, update('success'))).toMatchObject({
        status: 'success',
        duration: 1500,
        recordsProcessed: 3,
    });
});
it('a row that goes on has no time yet', () => {
    expect(told({ ...row, status: 'pending' }, update('running'))).toMatchObject({
        status: 'running',
        duration: null,
    });
});
it('what is final stays what it is, and what nothing is told of too', () => {
    const done = { ...row, status: 'failed' } as Execution;
    expect(told(done, update('running'))).toBe(done);
    expect(told(row, undefined)).toBe(row);
});
