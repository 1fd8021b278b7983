/* What can be written in an expression at a place: names, nodes and their outputs, what the last run's data has, and
   helpers. Pure. */
import type { Json } from '@/lib/api/models';

export interface Helper {
    name: string;
    kind: string;
    signature?: string | null;
    help?: string | null;
}
export interface Known {
    helpers: Helper[];
    /** Outputs of each other node. */
    nodes: Record<string, string[]>;
    variables: string[];
    secrets: string[];
    /** The last run's data, where there is one. */
    input?: Json | undefined;
    outputs?: Record<string, Json> | undefined;
}
export interface Option {
    label: string;
    detail?: string;
    info?: string;
    kind: 'variable' | 'property' | 'function';
    apply?: string;
}

/** Used when the service has not said (yet) what it knows. */
const names: Helper[] = [
    'input',
    'nodes',
    'variables',
    'secrets',
    'execution',
    'flow',
    'now',
    'item',
    'index',
].map((name) => ({ name, kind: 'name' }));

const step = /\.([A-Za-z_$][\w$-]*)|\[(\d+)\]|\["([^"\]]*)"\]|\['([^'\]]*)'\]/y;
export interface Path {
    root: string;
    steps: string[];
    /** What is being typed of the next one, and where it begins. */
    typed: string;
    from: number;
}
/** The path that ends where the text does; null: there is none. */
export function pathBefore(text: string): Path | null {
    const found =
        /[A-Za-z_$][\w$]*(?:\??\.[A-Za-z_$][\w$-]*|\[\d+\]|\["[^"\]]*"\]|\['[^'\]]*'\])*(?:\??\.)?$/.exec(
            text,
        );
    if (found === null) return null;
    const whole = found[0].replaceAll('?.', '.');
    const root = /^[A-Za-z_$][\w$]*/.exec(whole)?.[0] ?? '';
    const steps: string[] = [];
    step.lastIndex = root.length;
    for (let one = step.exec(whole); one !== null; one = step.exec(whole))
        steps.push(one[1] ?? one[2] ?? one[3] ?? one[4] ?? '');
    if (whole.endsWith('.')) return { root, steps, typed: '', from: text.length };
    if (steps.length === 0) return { root: '', steps: [], typed: root, from: text.length - root.length };
    if (whole.endsWith(']')) return null;
    const typed = steps.pop() ?? '';
    return { root, steps, typed, from: text.length - typed.length };
}

const KEYS = 100;
function keysOf(value: Json | undefined): Option[] {
    if (Array.isArray(value))
        return [
            { label: 'length', kind: 'property', detail: String(value.length) },
            ...['map', 'filter', 'find', 'reduce', 'slice', 'join'].map((label): Option => ({
                label,
                kind: 'function',
            })),
        ];
    if (typeof value !== 'object' || value === null) return [];
    return Object.entries(value)
        .slice(0, KEYS)
        .map(([label, one]) => ({
            label,
            kind: 'property',
            detail: one === null ? 'null' : Array.isArray(one) ? `[${String(one.length)}]` : typeof one,
        }));
}
const at = (value: Json | undefined, steps: string[]): Json | undefined =>
    steps.reduce<Json | undefined>(
        (inner, key) =>
            Array.isArray(inner)
                ? inner[Number(key)]
                : typeof inner === 'object' && inner !== null
                  ? inner[key]
                  : undefined,
        value,
    );
const named = (list: string[], kind: Option['kind'] = 'property'): Option[] =>
    list.map((label) => ({ label, kind }));

/** A member that is no name stands in brackets, in place of the dot. */
const asMember = (option: Option): Option =>
    /^[A-Za-z_$][\w$-]*$/.test(option.label)
        ? option
        : { ...option, apply: `["${option.label.replaceAll('"', '\\"')}"]` };

export function optionsAt(path: Path, known: Known): Option[] {
    const { root, steps } = path;
    if (root === '') {
        const all = known.helpers.length > 0 ? known.helpers : names;
        const roots = new Map<string, Option>();
        for (const helper of all) {
            const label = helper.name.split('.')[0] ?? helper.name;
            if (roots.has(label)) continue;
            roots.set(label, {
                label,
                kind: 'variable',
                ...(helper.name === label && helper.help != null && { info: helper.help }),
            });
        }
        for (const { name } of names)
            if (!roots.has(name)) roots.set(name, { label: name, kind: 'variable' });
        return [...roots.values()];
    }
    if (root === 'input') return keysOf(at(known.input, steps)).map(asMember);
    if (root === 'variables') return steps.length === 0 ? named(known.variables).map(asMember) : [];
    if (root === 'secrets') return steps.length === 0 ? named(known.secrets).map(asMember) : [];
    if (root === 'execution' && steps.length === 0)
        return named(['id', 'flowId', 'trigger', 'startedAt', 'attempt', 'input']);
    if (root === 'flow' && steps.length === 0) return named(['id', 'name', 'version']);
    if (root === 'nodes') {
        const [node, ...rest] = steps;
        if (node === undefined) return named(Object.keys(known.nodes), 'variable').map(asMember);
        const seen = keysOf(at(known.outputs?.[node], rest));
        if (rest.length > 0) return seen.map(asMember);
        const more = (known.nodes[node] ?? []).filter((pin) => !seen.some((one) => one.label === pin));
        return [...seen, ...named(more)].map(asMember);
    }
    const inner = known.helpers.filter((helper) => helper.name.startsWith(`${[root, ...steps].join('.')}.`));
    const depth = steps.length + 1;
    return inner.map((helper): Option => ({
        label: helper.name.split('.')[depth] ?? helper.name,
        kind: 'function',
        ...(helper.signature != null && { detail: helper.signature }),
        ...(helper.help != null && { info: helper.help }),
    }));
}

/** Whether the place stands between {{ and }}. */
export function inExpression(text: string, place: number): boolean {
    const before = text.lastIndexOf('{{', place - 1);
    if (before < 0 || before + 2 > place || text[before - 1] === '\\') return false;
    const end = text.indexOf('}}', before);
    return end < 0 || end >= place;
}
