/* The shapes of the API by the names that the features use. */
import type { Schemas } from './client';

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type Config = Record<string, Json>;

export type FlowSummary = Schemas['FlowSummary'];
export interface FlowNode {
    id: string;
    type: string;
    version: string;
    config: Config;
    position: { x: number; y: number };
    parentId?: string | null;
    size?: { width: number; height: number } | null;
}
export type FlowConnection = Schemas['Flow']['connections'][number];
export type Flow = Omit<Schemas['Flow'], 'nodes' | 'settings' | 'metadata'> & {
    nodes: FlowNode[];
    settings: Config | null;
    metadata: Config | null;
    publishedVersion?: number | null;
};
export type FlowCheck = Schemas['FlowCheck'];
export type FlowVersion = Schemas['FlowVersion'];
export type Execution = Schemas['Execution'];
export type ExecutionDetail = Schemas['ExecutionDetail'];
/** What a node did; of one that ran several times the last pass, with those before (as many as are kept) in it. */
export type NodeExecution = ExecutionDetail['nodeExecutions'][number] & {
    iteration?: string | null;
    iterationCount?: number | null;
    iterations?: NodeExecution[] | null;
};
export type ExecutionLog = Schemas['ExecutionLog'];
export type Pagination = Schemas['Pagination'];
export interface Page<T> {
    data: T[];
    pagination: Pagination;
}

export const executionStatuses = [
    'pending',
    'running',
    'waiting',
    'paused',
    'success',
    'failed',
    'cancelled',
    'timeout',
] as const;
export type ExecutionStatus = (typeof executionStatuses)[number];
export const isFinal = (status: string): boolean =>
    status === 'success' || status === 'failed' || status === 'cancelled' || status === 'timeout';

export const roles = ['viewer', 'operator', 'editor', 'admin'] as const;
export type Role = (typeof roles)[number];
