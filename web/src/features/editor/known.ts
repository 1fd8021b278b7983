/* What every node on the canvas reads of the catalog, asked for once by the canvas: hundreds of nodes that each ask
   cost each time that one comes into sight. */
import { createContext, useContext, useMemo } from 'react';
import { useCatalog } from './catalog';
import { useNodeTexts, type NodeTexts } from './catalog-texts';
import { useSpoken, type Speak } from './field-texts';
import type { Catalog } from './model';

export interface Known {
    catalog: Catalog;
    texts: NodeTexts;
    speak: Speak;
}
const unspoken: Speak = (english) => english;

export const KnownContext = createContext<Known | null>(null);

export function useKnown(): Known {
    const known = useContext(KnownContext);
    if (known === null) throw new Error('a node stands outside of a canvas');
    return known;
}

export function useAsked(): Known {
    const catalog = useCatalog();
    const texts = useNodeTexts();
    const speak = useSpoken('fields') ?? unspoken;
    return useMemo(() => ({ catalog, texts, speak }), [catalog, texts, speak]);
}
