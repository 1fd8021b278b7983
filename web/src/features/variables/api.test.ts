import { expect, it } from 'vitest';
import { usesIn } from './api';

const nodes = [
    { id: 'dotted', config: { url: '{{ variables.host }}/x' } },
    { id: 'quoted', config: { headers: { a: '{{ variables["host"] }}' } } },
    { id: 'longer', config: { url: '{{ variables.hostname }}' } },
    { id: 'secret', config: { key: '{{secrets.host}}' } },
    { id: 'text', config: { text: 'the host' } },
];
it('finds the nodes that name it', () => {
    expect(usesIn(nodes, 'variables', 'host')).toEqual(['dotted', 'quoted']);
    expect(usesIn(nodes, 'secrets', 'host')).toEqual(['secret']);
    expect(usesIn(nodes, 'variables', 'none')).toEqual([]);
});
