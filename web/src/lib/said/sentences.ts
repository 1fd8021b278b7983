/* What the service says, in the page's language. The service speaks English (docs/decisions/0170): its sentences, as
   they stand in its sources with %s for what changes, are the keys of a table with {1}, {2} … in their place. */

export interface Texts {
    sentences: Record<string, string>;
    /** Single words that the service puts into its sentences. */
    words: Record<string, string>;
}
/** undefined: the table has nothing for it. */
export type Translate = (sentence: string) => string | undefined;

const CONVERSION = /%(?:%|[-+ 0#]*[\d*]*(?:\.[\d*]+)?(?:hh|h|ll|l|z|j)?([diouxXeEfgGsc]))/g;
const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

interface Pattern {
    shape: RegExp;
    spanish: string;
    literal: number; // characters that are given: the more, the surer
}

/** A sentence that has no end (of a list, say) takes what follows as its last value. */
function patternOf(english: string, spanish: string): Pattern {
    let shape = '';
    let literal = 0;
    let at = 0;
    for (const found of english.matchAll(CONVERSION)) {
        const before = english.slice(at, found.index);
        literal += before.length;
        shape += escaped(before) + (found[1] === undefined ? '%' : found[1] === 's' ? '([^]*?)' : '(-?\\d+)');
        at = found.index + found[0].length;
    }
    const rest = english.slice(at);
    const open = rest !== '' && !/[.)]$/.test(rest);
    return {
        shape: new RegExp(`^${shape}${escaped(rest)}${open ? '([^]*)' : ''}$`),
        spanish,
        literal: literal + rest.length,
    };
}

export function translator({ sentences, words }: Texts): Translate {
    const whole = new Map(Object.entries(sentences));
    const patterns = Object.entries(sentences)
        .map(([english, spanish]) => patternOf(english, spanish))
        .sort((a, b) => b.literal - a.literal);
    const valueOf = (value: string, depth: number): string => {
        const bare = value.trim();
        const word = words[bare];
        if (word !== undefined) return value.replace(bare, word);
        return (depth < 4 ? translate(bare, depth + 1) : undefined) ?? value;
    };
    const translate = (sentence: string, depth = 0): string | undefined => {
        const same = whole.get(sentence);
        if (same !== undefined && !same.includes('{1}')) return same;
        // Before what a sentence may begin with: "node a: b is required." is of b.
        const [, id, why] = /^node (\S+): ([^]+)$/.exec(sentence) ?? [];
        const of = why === undefined || depth >= 4 ? undefined : translate(why, depth + 1);
        if (of !== undefined) return `nodo ${id ?? ''}: ${of}`;
        for (const { shape, spanish } of patterns) {
            const values = shape.exec(sentence);
            if (values !== null)
                return spanish.replace(/\{(\d)\}/g, (_, place: string) =>
                    valueOf(values[Number(place)] ?? '', depth),
                );
        }
        const [, path, said] = /^([\w.[\]-]+): ([^]+)$/.exec(sentence) ?? [];
        const rest = said === undefined ? undefined : translate(said, depth + 1);
        return rest === undefined ? undefined : `${path ?? ''}: ${rest}`;
    };
    return (sentence) => translate(sentence);
}
